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

template <class R> static int spiking(const R* seen, int width, int32_t* ids) {
  int count = 0;
  for (int j = 0; j < width; j += LANES<R>)
    for (unsigned bits = above_threshold<R>(*(const Vector<R>*)(seen + j)); bits; bits &= bits - 1)
      ids[count++] = j + __builtin_ctz(bits);
  return count;
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

// How the gradient of a score divides over the steps of the readout: where it begins and, for ties, among how many.
template <class R> struct Peaks {
  std::vector<int> at, ties;
  Peaks(const Engine<R>& e, int n_steps, const Block<R>& block) : at(block.m * e.n_out, -1), ties(block.m * e.n_out, 0) {
    const R* history = block.out_v.get();
    for (int i = 0; i < block.m; i++)
      for (int c = 0; c < e.n_out; c++) {
        const R score = block.score.get()[size_t(i) * e.out_width + c];
        if (e.readout == MAX_FIRST && !(score > R(0))) continue;  // the start at 0 is the largest: no gradient
        for (int t = 0; t < n_steps; t++)
          if (history[(size_t(t) * block.m + i) * e.out_width + c] == score) {
            if (!ties[i * e.n_out + c]++) at[i * e.n_out + c] = t;
          }
      }
  }
};

template <class R> static R share(const Engine<R>& e, const Peaks<R>& peaks, const R* history, R score, int i, int c, int t, int n_steps) {
  const int k = i * e.n_out + c;
  if (e.readout == MEAN) return R(1) / R(n_steps);
  if (e.readout == LAST) return t == n_steps - 1 ? R(1) : R(0);
  if (e.readout == MAX_FIRST) return peaks.at[k] == t ? R(1) : R(0);
  return history[c] == score ? R(1) / R(peaks.ties[k]) : R(0);
}

template <class R>
void backward(const Engine<R>& e, const Batch& batch, int64_t start, const Block<R>& block, Scratch<R>& s, const R* of_scores,
              const R* of_counts, Gradients<R>& sums) {
  const int n_layers = int(e.layers.size()), T = batch.n_steps, m = block.m, ow = e.out_width;
  s.v.resize(n_layers), s.g.resize(n_layers), s.z.resize(n_layers), s.ids.resize(n_layers);
  for (int l = 0; l < n_layers; l++) {
    const size_t size = size_t(e.layers[l].width) * m;
    s.v[l].zeros(size), s.g[l].zeros(size), s.z[l].need(size), s.ids[l].need(e.layers[l].width);
  }
  R *of_out_v = s.out_v.zeros(size_t(ow) * m), *of_out_g = s.out_g.zeros(size_t(ow) * m);
  std::vector<char> live(n_layers, 0), out_live(m, 0);
  const bool max_of = e.readout == MAX_SHARED || e.readout == MAX_FIRST;
  const Peaks<R> peaks(e, max_of ? T : 0, block);
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
        int32_t* ids = s.ids[l].get();
        int count = spiking(seen, layer.width, ids);
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
    for (int i = 0; i < m; i++) {
      R *of_v = of_out_v + size_t(i) * ow, *of_g = of_out_g + size_t(i) * ow;
      const R* history = block.out_v.get() + (size_t(t) * m + i) * ow;
      const R* score = block.score.get() + size_t(i) * ow;
      for (int c = 0; c < e.n_out; c++) {
        const R d = of_scores[(start + i) * e.n_out + c];
        const R part = d == R(0) ? R(0) : d * share(e, peaks, history, score[c], i, c, t, T);
        if (part != R(0)) out_live[i] = 1, any_out = true;
        const R to_v = of_v[c] + part;
        of_g[c] = of_g[c] * e.out_decay_syn + to_v * e.out_g_to_v;
        of_v[c] = to_v * e.out_decay_mem;
      }
    }
  }
}

template void backward(const Engine<float>&, const Batch&, int64_t, const Block<float>&, Scratch<float>&, const float*, const float*, Gradients<float>&);
template void backward(const Engine<double>&, const Batch&, int64_t, const Block<double>&, Scratch<double>&, const double*, const double*, Gradients<double>&);

}  // namespace ei
