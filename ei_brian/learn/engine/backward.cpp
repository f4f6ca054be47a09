// The backward pass through time: adjoint equations of the forward pass, the reset detached, the spike by its surrogate.
#include "engine.h"
#include "equations.h"
#include "products.h"

namespace ei {

template <class R> static Vector<R> absolute(Vector<R> x) { return x < R(0) ? -x : x; }
template <class R> static Vector<R> positive(Vector<R> x) { return x > R(0) ? x : Vector<R>{}; }

template <class R, Surrogate KIND> static Vector<R> derivative(Vector<R> x, R slope) {
#define abs(y) absolute<R>(y)
#define relu(y) positive<R>(y)
  const R pi = R(3.14159265358979323846);
  (void)pi;
  if (KIND == FAST_SIGMOID) return EI_FAST_SIGMOID;
  if (KIND == SUPER_SPIKE) return EI_SUPER_SPIKE;
  if (KIND == ARCTAN) return EI_ARCTAN;
  return EI_PIECEWISE_LINEAR;
#undef abs
#undef relu
}

template <class R>
static void add_to_rows(R* rows, int width, const int32_t* ids, int64_t count, const R* from, const float* values = nullptr) {
  for (int64_t i = 0; i < count; i++) {
    Vector<R>* row = (Vector<R>*)(rows + size_t(ids[i]) * width);
    const Vector<R>* x = (const Vector<R>*)from;
    if (values)
      for (int k = 0; k < width / LANES<R>; k++) row[k] += x[k] * R(values[i]);
    else
      for (int k = 0; k < width / LANES<R>; k++) row[k] += x[k];
  }
}

// What reaches a layer's spikes in one step of one trial, besides what its targets' gradients bring through products.
template <class R> struct FromReadout {
  const R *columns, *of_g;
  int n_out, width;
};

template <class R, Cell CELL, Surrogate KIND>
static void retreat(const Layer<R>& layer, R slope, const R* seen, const R* of_counts, const R* of_products,
                    const FromReadout<R>* out, R* of_v, R* of_g) {
  const Vector<R> zero = {};
  for (int j = 0; j < layer.width; j += LANES<R>) {
    Vector<R> of_z = of_counts ? *(const Vector<R>*)(of_counts + j) : zero;
    if (of_products) of_z += *(const Vector<R>*)(of_products + j);
    if (out)
      for (int c = 0; c < out->n_out; c++) of_z += *(const Vector<R>*)(out->columns + size_t(c) * out->width + j) * out->of_g[c];
    const Vector<R> v = *(const Vector<R>*)(seen + j), decay_mem = *(const Vector<R>*)(layer.decay_mem.get() + j);
    const Vector<R> by_spike = of_z * derivative<R, KIND>(v - R(1), slope);
    const Vector<R> unreset = v > R(1) ? zero : *(const Vector<R>*)(of_v + j);
    const Vector<R> through = CELL == SPYTORCH ? unreset : unreset + by_spike;
    Vector<R>& g = *(Vector<R>*)(of_g + j);
    g = g * *(const Vector<R>*)(layer.decay_syn.get() + j) + through * *(const Vector<R>*)(layer.g_to_v.get() + j);
    *(Vector<R>*)(of_v + j) = CELL == SPYTORCH ? through * decay_mem + by_spike : through * decay_mem;
  }
}

template <class R> using Retreat = void (*)(const Layer<R>&, R, const R*, const R*, const R*, const FromReadout<R>*, R*, R*);

template <class R, Cell CELL> static Retreat<R> retreat_of(Surrogate kind) {
  if (kind == FAST_SIGMOID) return retreat<R, CELL, FAST_SIGMOID>;
  if (kind == SUPER_SPIKE) return retreat<R, CELL, SUPER_SPIKE>;
  return kind == ARCTAN ? retreat<R, CELL, ARCTAN> : retreat<R, CELL, PIECEWISE_LINEAR>;
}

// How the gradient of a score divides over the steps: its share of one step, and for a maximum the steps at which it stands.
template <class R> struct Peaks {
  Array<R> share, first;  // (trial, class); the number of the first step, or -1
  Peaks() {}
  Peaks(const Engine<R>& e, int n_steps, const Block<R>& block, const R* of_scores) {
    const int width = e.out_width;
    share.zeros(size_t(block.m) * width), first.need(size_t(block.m) * width);
    for (int i = 0; i < block.m; i++) {
      std::memcpy(share.get() + size_t(i) * width, of_scores + size_t(i) * e.n_out, e.n_out * sizeof(R));
      for (int c = 0; c < width; c += LANES<R>) of_class(e, n_steps, block, size_t(i) * width + c);
    }
  }

 private:
  void of_class(const Engine<R>& e, int n_steps, const Block<R>& block, size_t place) {
    Vector<R>& part = *(Vector<R>*)(share.get() + place);
    if (e.readout == MEAN) part /= R(n_steps);
    if (e.readout == MEAN || e.readout == LAST) return;
    const Vector<R> score = *(const Vector<R>*)(block.score.get() + place), one = Vector<R>{} + R(1);
    const R* at = block.out_v.get() + place;
    Vector<R> ties = {}, begin = Vector<R>{} - R(1);
    for (int t = 0; t < n_steps; t++, at += size_t(block.m) * e.out_width) {
      const auto peak = *(const Vector<R>*)at == score;
      begin = peak & (begin < R(0)) ? Vector<R>{} + R(t) : begin;
      ties += peak ? one : Vector<R>{};
    }
    if (e.readout == MAX_SHARED) part /= ties;
    else part = score > R(0) ? part : Vector<R>{};  // the start at 0 is the largest: no gradient
    *(Vector<R>*)(first.get() + place) = begin;
  }
};

template <class R>
static Vector<R> share_of(const Engine<R>& e, const Peaks<R>& peaks, const Block<R>& block, size_t place, int t, int n_steps) {
  const Vector<R> part = *(const Vector<R>*)(peaks.share.get() + place), zero = {};
  if (e.readout == MEAN) return part;
  if (e.readout == LAST) return t == n_steps - 1 ? part : zero;
  if (e.readout == MAX_FIRST) return *(const Vector<R>*)(peaks.first.get() + place) == R(t) ? part : zero;
  const R* record = block.out_v.get() + size_t(t) * block.m * e.out_width + place;
  return *(const Vector<R>*)record == *(const Vector<R>*)(block.score.get() + place) ? part : zero;
}

// The gradient of the outputs of one step, (trial, step, class) without gaps, for some classes of a trial.
template <class R> static Vector<R> over_time(const Engine<R>& e, const R* of_outputs, int64_t trial, int t, int n_steps, int c) {
  Vector<R> part = {};
  const R* from = of_outputs + (size_t(trial) * n_steps + t) * e.n_out;
  for (int lane = 0; lane < LANES<R> && c + lane < e.n_out; lane++) part[lane] = from[c + lane];
  return part;
}

template <class R> static bool any(Vector<R> v) {
  bool found = false;
  for (int lane = 0; lane < LANES<R>; lane++) found |= v[lane] != R(0);
  return found;
}

template <class R>
void backward(const Engine<R>& e, const Batch& batch, int64_t start, const Block<R>& block, Scratch<R>& s, const R* of_scores,
              const R* of_counts, Gradients<R>& sums, const R* of_outputs) {
  const int n_layers = int(e.layers.size()), T = batch.n_steps, m = block.m, ow = e.out_width;
  s.v.resize(n_layers), s.g.resize(n_layers), s.z.resize(n_layers);
  for (int l = 0; l < n_layers; l++) {
    const size_t size = size_t(e.layers[l].width) * m;
    s.v[l].zeros(size), s.g[l].zeros(size), s.z[l].need(size);
  }
  R *of_out_v = s.out_v.zeros(size_t(ow) * m), *of_out_g = s.out_g.zeros(size_t(ow) * m);
  std::vector<char> live(n_layers, 0), out_live(m, 0);
  const Peaks<R> peaks = of_outputs ? Peaks<R>() : Peaks<R>(e, T, block, of_scores + start * e.n_out);
  const Retreat<R> step_back = e.cell == SPYTORCH ? retreat_of<R, SPYTORCH>(e.surrogate) : retreat_of<R, LIF_EXPONENTIAL>(e.surrogate);
  std::vector<int64_t> at(m);
  for (int i = 0; i < m; i++) at[i] = batch.first[batch.trials[start + i] + 1];
  bool any_out = false;
  for (int t = T - 1; t >= 0; t--) {
    size_t offset = 0;
    for (int l = 0; l < n_layers; l++) {
      const Layer<R>& layer = e.layers[l];
      const bool last = l == n_layers - 1, was_live = live[l], next_live = !last && live[l + 1];
      const R* counts = of_counts ? of_counts + offset : nullptr;
      offset += size_t(layer.width);
      bool products = false;
      if (was_live && layer.shape.recurrent) {
        product(s.g[l].get(), layer.width, m, layer.shape.n, layer.shape.n, layer.loop_panels.get(), s.z[l].get(), layer.width, false);
        products = true;
      }
      if (next_live) {
        const Layer<R>& next = e.layers[l + 1];
        if (!products) std::memset(static_cast<void*>(s.z[l].get()), 0, size_t(layer.width) * m * sizeof(R));
        product(s.g[l + 1].get(), next.width, m, next.shape.n, next.shape.n_source, next.panels.get(), s.z[l].get(), layer.width, true);
        products = true;
      }
      const bool act = was_live || next_live || counts || (last && any_out);
      for (int i = 0; i < m; i++) {
        R *of_v = s.v[l].get() + size_t(i) * layer.width, *of_g = s.g[l].get() + size_t(i) * layer.width;
        if (l == 0) {
          const int64_t begin = batch.first[batch.trials[start + i]], stop = at[i];
          int64_t first = stop;
          while (first > begin && batch.step[first - 1] == t) first--;
          at[i] = first;
          if (was_live)
            add_to_rows(sums.rows[0].get(), layer.width, batch.unit + first, stop - first, of_g, batch.values ? batch.values + first : nullptr);
        }
        if (!act) continue;
        const R* seen = block.v[l].get() + (size_t(t) * m + i) * layer.width;
        const int32_t* ends = block.fired_end[l].data() + size_t(t) * m + i;
        const int32_t begin = t == 0 && i == 0 ? 0 : ends[-1], *ids = block.fired[l].data() + begin;
        int count = *ends - begin;
        if (was_live && layer.shape.recurrent) add_to_rows(sums.loop[l].get(), layer.width, ids, count, of_g);
        FromReadout<R> out{e.out_columns.get(), of_out_g + size_t(i) * ow, e.n_out, layer.width};
        if (last && out_live[i]) add_to_rows(sums.out.get(), ow, ids, count, out.of_g);
        if (next_live) {
          const Layer<R>& next = e.layers[l + 1];
          while (count && ids[count - 1] >= next.shape.n_source) count--;
          add_to_rows(sums.rows[l + 1].get(), next.width, ids, count, s.g[l + 1].get() + size_t(i) * next.width);
        }
        step_back(layer, e.slope, seen, counts, products ? s.z[l].get() + size_t(i) * layer.width : nullptr,
                  last && out_live[i] ? &out : nullptr, of_v, of_g);
      }
      live[l] = act;
    }
    for (int i = 0; i < m; i++)
      for (int c = 0; c < ow; c += LANES<R>) {
        const size_t place = size_t(i) * ow + c;
        const Vector<R> part = of_outputs ? over_time(e, of_outputs, start + i, t, T, c) : share_of(e, peaks, block, place, t, T);
        if (!out_live[i] && any<R>(part)) out_live[i] = 1, any_out = true;
        Vector<R>&of_v = *(Vector<R>*)(of_out_v + place), &of_g = *(Vector<R>*)(of_out_g + place);
        of_v += part;
        of_g = of_g * e.out_decay_syn + of_v * e.out_g_to_v;
        of_v *= e.out_decay_mem;
      }
  }
}

template void backward(const Engine<float>&, const Batch&, int64_t, const Block<float>&, Scratch<float>&, const float*, const float*, Gradients<float>&, const float*);
template void backward(const Engine<double>&, const Batch&, int64_t, const Block<double>&, Scratch<double>&, const double*, const double*, Gradients<double>&, const double*);

}  // namespace ei
