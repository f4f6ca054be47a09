// The forward pass. Compiled without fused products, so that each operation rounds as it does elsewhere.
#include "engine.h"
#include "equations.h"

namespace ei {

// Adds the rows of the given numbers to N vectors, one after the other, with the sums in registers.
template <class R, int N>
static void add_rows_at(R* to, int width, const R* rows, const int32_t* ids, int64_t count, const float* values) {
  Vector<R> sum[N];
  for (int k = 0; k < N; k++) sum[k] = ((Vector<R>*)to)[k];
  for (int64_t i = 0; i < count; i++) {
    const Vector<R>* row = (const Vector<R>*)(rows + size_t(ids[i]) * width);
    if (values)
      for (int k = 0; k < N; k++) sum[k] += row[k] * R(values[i]);
    else
      for (int k = 0; k < N; k++) sum[k] += row[k];
  }
  for (int k = 0; k < N; k++) ((Vector<R>*)to)[k] = sum[k];
}

template <class R>
static void add_rows(R* to, int width, const R* rows, const int32_t* ids, int64_t count, const float* values = nullptr) {
  if (!count) return;
  for (int j = 0, left = width / LANES<R>; left > 0; j += 8 * LANES<R>, left -= 8) switch (left) {
      case 1: add_rows_at<R, 1>(to + j, width, rows + j, ids, count, values); break;
      case 2: add_rows_at<R, 2>(to + j, width, rows + j, ids, count, values); break;
      case 3: add_rows_at<R, 3>(to + j, width, rows + j, ids, count, values); break;
      case 4: add_rows_at<R, 4>(to + j, width, rows + j, ids, count, values); break;
      case 5: add_rows_at<R, 5>(to + j, width, rows + j, ids, count, values); break;
      case 6: add_rows_at<R, 6>(to + j, width, rows + j, ids, count, values); break;
      case 7: add_rows_at<R, 7>(to + j, width, rows + j, ids, count, values); break;
      default: add_rows_at<R, 8>(to + j, width, rows + j, ids, count, values);
    }
}

// One step of a layer up to its spikes: returns how many cells spiked, and writes their numbers.
template <class R, Cell CELL>
static int advance(const Layer<R>& layer, R* v_, R* g_, R* at_threshold, int32_t* ids) {
  int count = 0;
  const Vector<R> zero = {};
  for (int j = 0; j < layer.width; j += LANES<R>) {
    Vector<R>& v_state = *(Vector<R>*)(v_ + j);
    Vector<R>& g_state = *(Vector<R>*)(g_ + j);
    const Vector<R> decay_mem = *(const Vector<R>*)(layer.decay_mem.get() + j);
    const Vector<R> decay_syn = *(const Vector<R>*)(layer.decay_syn.get() + j);
    const Vector<R> g_to_v = *(const Vector<R>*)(layer.g_to_v.get() + j);
    Vector<R> v = v_state, g = g_state;
    if (CELL == SPYTORCH) *(Vector<R>*)(at_threshold + j) = v;
    const Vector<R> before = v;
    EI_UPDATE
    if (CELL == LIF_EXPONENTIAL) *(Vector<R>*)(at_threshold + j) = v;
    const Vector<R> seen = CELL == SPYTORCH ? before : v;
    v_state = seen > R(1) ? zero : v;
    g_state = g;
    for (unsigned bits = above_threshold<R>(seen); bits; bits &= bits - 1) ids[count++] = j + __builtin_ctz(bits);
  }
  return count;
}

// The score of each class from the readout's record (step, trial, class).
template <class R> static void score_of(const Engine<R>& e, int n_steps, int m, int i, const R* record, R* score) {
  for (int c = 0; c < e.out_width; c += LANES<R>) {
    const R* at = record + size_t(i) * e.out_width + c;
    const size_t stride = size_t(m) * e.out_width;
    Vector<R> value = e.readout == MAX_SHARED ? *(const Vector<R>*)at : Vector<R>{};
    for (int t = 0; t < n_steps; t++, at += stride) {
      const Vector<R> v = *(const Vector<R>*)at;
      value = e.readout == MEAN ? value + v : e.readout == LAST ? v : v > value ? v : value;
    }
    *(Vector<R>*)(score + c) = e.readout == MEAN ? value / R(n_steps) : value;
  }
}

template <class R>
void forward(const Engine<R>& e, const Batch& batch, int64_t start, int m, Block<R>& block, Scratch<R>& s, int32_t* counts) {
  const int n_layers = int(e.layers.size()), T = batch.n_steps, ow = e.out_width;
  block.m = m;
  block.v.resize(n_layers), block.fired.resize(n_layers), block.fired_end.resize(n_layers), s.v.resize(n_layers), s.g.resize(n_layers), s.ids.resize(n_layers);
  for (int l = 0; l < n_layers; l++) {
    const size_t width = size_t(e.layers[l].width);
    block.v[l].need(width * m * T), block.fired[l].clear(), block.fired_end[l].clear();
    s.v[l].zeros(width * m), s.g[l].zeros(width * m), s.ids[l].need(width);
  }
  R* out_v = s.out_v.zeros(size_t(ow) * m);
  R* out_g = s.out_g.zeros(size_t(ow) * m);
  R* history = block.out_v.need(size_t(ow) * m * T);
  std::vector<int64_t> at(m);
  for (int i = 0; i < m; i++) at[i] = batch.first[batch.trials[start + i]];
  for (int t = 0; t < T; t++) {
    for (int i = 0; i < m; i++) {
      const int32_t* ids_before = nullptr;
      int n_before = 0, offset = 0;
      for (int l = 0; l < n_layers; l++) {
        const Layer<R>& layer = e.layers[l];
        R *v = s.v[l].get() + size_t(i) * layer.width, *g = s.g[l].get() + size_t(i) * layer.width;
        R* seen = block.v[l].get() + (size_t(t) * m + i) * layer.width;
        int32_t* ids = s.ids[l].get();
        const int count = e.cell == SPYTORCH ? advance<R, SPYTORCH>(layer, v, g, seen, ids)
                                             : advance<R, LIF_EXPONENTIAL>(layer, v, g, seen, ids);
        block.fired[l].insert(block.fired[l].end(), ids, ids + count), block.fired_end[l].push_back(int32_t(block.fired[l].size()));
        if (l == 0) {
          const int64_t first = at[i], stop = batch.first[batch.trials[start + i] + 1];
          int64_t last = first;
          while (last < stop && batch.step[last] == t) last++;
          at[i] = last;
          add_rows(g, layer.width, layer.rows.get(), batch.unit + first, last - first, batch.values ? batch.values + first : nullptr);
        } else {
          while (n_before && ids_before[n_before - 1] >= layer.shape.n_source) n_before--;
          add_rows(g, layer.width, layer.rows.get(), ids_before, n_before);
        }
        if (layer.shape.recurrent) add_rows(g, layer.width, layer.loop.get(), ids, count);
        if (counts)
          for (int k = 0; k < count; k++) counts[(start + i) * e.n_cells + offset + ids[k]]++;
        ids_before = ids, n_before = count, offset += layer.shape.n;
      }
      R *ov = out_v + size_t(i) * ow, *og = out_g + size_t(i) * ow;
      for (int j = 0; j < ow; j += LANES<R>) {
        const R decay_mem = e.out_decay_mem, decay_syn = e.out_decay_syn, g_to_v = e.out_g_to_v;
        Vector<R> v = *(Vector<R>*)(ov + j), g = *(Vector<R>*)(og + j);
        EI_UPDATE
        *(Vector<R>*)(ov + j) = v, *(Vector<R>*)(og + j) = g;
      }
      std::memcpy(history + (size_t(t) * m + i) * ow, ov, ow * sizeof(R));
      add_rows(og, ow, e.out_rows.get(), ids_before, n_before);
    }
  }
  R* score = block.score.need(size_t(ow) * m);
  for (int i = 0; i < m; i++) score_of(e, T, m, i, history, score + size_t(i) * ow);
}

template void forward(const Engine<float>&, const Batch&, int64_t, int, Block<float>&, Scratch<float>&, int32_t*);
template void forward(const Engine<double>&, const Batch&, int64_t, int, Block<double>&, Scratch<double>&, int32_t*);

}  // namespace ei
