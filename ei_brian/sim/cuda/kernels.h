// What runs on the GPU beside Brian2's own kernels: spikes in order, noise, propagation by rows, recording.
// Compiled with -fmad=false: the bits are those of the reference.
#pragma once
#include "counter.h"
#include "exponential_number.h"
#include "session.h"
#include <cuda_runtime.h>

namespace ei {

// ---- spikes: each block finds those of one trial, in ascending order --------------------------------------------------------------

struct SpikeOutput {
  int32_t* list;    // of all trials: the spikes of trial k from k*size on, then -1
  int32_t* count;   // of each trial
  uint32_t* mask;   // a bit per neuron, of this step; null where spikes are not kept
  int32_t* total;   // spikes of each neuron so far
  int size, words, active;
};

template <class Condition> __device__ __forceinline__ void find_spikes(const SpikeOutput& out, Condition condition) {
  __shared__ int found[32];
  const int trial = blockIdx.x, thread = threadIdx.x, lane = thread % 32, warp = thread / 32, warps = blockDim.x / 32;
  const int base = trial * out.size;
  int n = 0;
  for (int tile = 0; tile < out.size; tile += blockDim.x) {
    const int unit = tile + thread;
    const bool spike = unit < out.size && condition(base + unit);
    const unsigned ballot = __ballot_sync(0xffffffffu, spike);
    if (lane == 0) found[warp] = __popc(ballot);
    __syncthreads();
    int place = n;
    for (int w = 0; w < warps; w++) {
      if (w < warp) place += found[w];
      n += found[w];
    }
    if (spike) {
      out.list[base + place + __popc(ballot & ((1u << lane) - 1u))] = base + unit;
      if (trial < out.active) out.total[base + unit]++;
    }
    if (lane == 0 && out.mask && unit < out.size) out.mask[size_t(trial) * out.words + unit / 32] = ballot;
    __syncthreads();
  }
  for (int k = n + thread; k < out.size; k += blockDim.x) out.list[base + k] = -1;
  if (thread == 0) out.count[trial] = n;
}

inline int threads_for(int size) { return std::min(1024, (std::max(size, 1) + 31) / 32 * 32); }

inline __global__ void record_unsorted(SpikeOutput out, const int32_t* spikes, int n_neurons) {  // Brian2's own list, its length behind it
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k >= spikes[n_neurons]) return;
  const int id = spikes[k], trial = id / out.size, unit = id % out.size;
  if (trial >= out.active) return;
  out.total[id]++;
  if (out.mask) atomicOr(out.mask + size_t(trial) * out.words + unit / 32, 1u << (unit % 32));
}

// ---- states, noise, input ---------------------------------------------------------------------------------------------------------

template <class T> __global__ void fill_states(T* at, const T* values, int size, bool scalar, size_t total) {
  const size_t k = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k < total) at[k] = values[scalar ? 0 : k % size];
}

template <class T> __global__ void find_not_finite(const T* at, size_t total, unsigned long long* found) {  // any one of them, plus 1
  const size_t k = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k < total && !(at[k] - at[k] == T(0))) *found = k + 1;
}

struct Now { int step, active; uint32_t first_number, key0, key1; };

template <class T> __global__ void draw_each(T* at, int size, bool normal, uint32_t stream, Now now) {  // a thread makes four numbers
  const int lanes = (size + BLOCK - 1) / BLOCK * LANES;
  const size_t k = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int trial = int(k / lanes), lane = int(k % lanes), unit = lane / LANES * BLOCK + lane % LANES;
  if (trial >= now.active) return;
  const Words words = philox(uint32_t(lane), uint32_t(now.step), now.first_number + uint32_t(trial), stream, now.key0, now.key1);
  float made[4];
  if (normal) {
    normals_from(words.a, words.b, made[0], made[1]);
    normals_from(words.c, words.d, made[2], made[3]);
  } else {
    made[0] = uniform_from(words.a); made[1] = uniform_from(words.b); made[2] = uniform_from(words.c); made[3] = uniform_from(words.d);
  }
  T* out = at + size_t(trial) * size;
  for (int word = 0; word < 4; word++)
    if (unit + word * LANES < size) out[unit + word * LANES] = T(made[word]);
}

template <class T> __global__ void draw_shared(T* at, int size, bool normal, uint32_t stream, Now now) {  // a number per trial
  const size_t k = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int trial = int(k / size);
  if (trial >= now.active) return;
  const uint32_t number = now.first_number + uint32_t(trial);
  at[k] = T(normal ? normal_of(0, now.step, number, stream, now.key0, now.key1) : uniform_of(0, now.step, number, stream, now.key0, now.key1));
}

template <class T> __global__ void find_winners(const T* margin, T* winner, int size, int active) {  // a thread per trial
  const int trial = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (trial >= active) return;
  margin += size_t(trial) * size;
  winner += size_t(trial) * size;
  int largest = 0;
  for (int unit = 0; unit < size; unit++) {
    winner[unit] = T(0);
    if (margin[unit] > margin[largest]) largest = unit;
  }
  winner[largest] = T(1);
}

template <class V> EI_DEVICE inline int64_t first_not_below(const V* sorted, int64_t from, int64_t to, V value) {
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (sorted[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

// bound[trial * (n_steps + 1) + step]: first event of that step or a later one, of the events of this chunk
inline __global__ void find_steps(int64_t* bound, const int64_t* first, const int32_t* event_step, int n_steps, int active) {
  const size_t k = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int trial = int(k / (n_steps + 1)), step = int(k % (n_steps + 1));
  if (trial < active) bound[k] = first_not_below(event_step, first[trial] - first[0], first[trial + 1] - first[0], int32_t(step));
}

template <class T> __global__ void present(T* values, int input_start, int size, const int64_t* bound, const int32_t* unit, const T* value, int n_steps, Now now) {
  const int trial = blockIdx.x;  // ``values`` are 0
  const int64_t* mine = bound + size_t(trial) * (n_steps + 1) + now.step;
  for (int64_t k = mine[0] + threadIdx.x; k < mine[1]; k += blockDim.x) {
    const int at = unit[k] - input_start;
    if (at >= 0 && at < size) values[size_t(trial) * size + at] = value ? value[k] : T(1);
  }
}

// ---- propagation: spikes add rows of a weight table that all trials share ------------------------------------------------------------

template <class T> struct Source {
  int size;                            // neurons of a trial
  const int32_t *list, *count;         // spikes of this step, of a population …
  const T* release;                    // … and what scales them, by neuron; or null
  int32_t *past_list, *past_count;     // of earlier steps, a ring of ``keep``; null without delays
  T* past_size;
  int keep;
  const int64_t* bound;                // events of an input
  const int32_t* unit;
  const T* value;
  int input_start, n_steps;
  bool several_inputs;
};

template <class T> struct Propagation {
  Source<T> source;
  const Table<T>* tables;
  int n_tables, n_target;
  size_t stride;
  T* port;
  Release<T> noise;
  int batch;
  Now now;
};

template <class T> struct Arriving { const int32_t* ids; const T *sizes, *release; int n, base; };

template <class T> EI_DEVICE inline Arriving<T> arriving(const Source<T>& s, int trial, int step, int delay, int batch) {
  if (s.bound) {
    const int64_t* mine = s.bound + size_t(trial) * (s.n_steps + 1) + (step - delay);
    int64_t from = mine[0], to = mine[1];
    if (s.several_inputs) {
      from = first_not_below(s.unit, from, to, int32_t(s.input_start));
      to = first_not_below(s.unit, from, to, int32_t(s.input_start + s.size));
    }
    return Arriving<T>{s.unit + from, s.value ? s.value + from : nullptr, nullptr, int(to - from), s.input_start};
  }
  const size_t mine = size_t(trial) * s.size;
  if (!s.past_list) return Arriving<T>{s.list + mine, nullptr, s.release, s.count[trial], int(mine)};
  const size_t place = size_t(step - delay) % s.keep, at = place * batch * s.size + mine;
  return Arriving<T>{s.past_list + at, s.release ? s.past_size + at : nullptr, nullptr, s.past_count[place * batch + trial], int(mine)};
}

template <class T> __global__ void remember(Source<T> s, int batch, Now now) {
  const int trial = blockIdx.x, n = s.count[trial];
  const size_t place = size_t(now.step) % s.keep, from = size_t(trial) * s.size, to = place * batch * s.size + from;
  for (int k = threadIdx.x; k < n; k += blockDim.x) {
    s.past_list[to + k] = s.list[from + k];
    if (s.release) s.past_size[to + k] = s.release[s.list[from + k]];
  }
  if (threadIdx.x == 0) s.past_count[place * batch + trial] = n;
}

template <class T> EI_DEVICE inline T size_of(const Arriving<T>& a, int k) {
  return a.sizes ? a.sizes[k] : a.release ? a.release[a.ids[k]] : T(1);
}

// what a spike of ``unit`` adds to neuron ``j``: each synapse releases or fails, and its quantum varies
template <class T> EI_DEVICE inline T amount(const Propagation<T>& p, uint32_t number, int unit, int j, T size, T weight) {
  if (!p.noise.on) return size * weight;
  T factor = p.noise.scale;
  if (p.noise.stream_quantal >= 0) {
    const T normal = T(normal_of(j, p.now.step, number, uint32_t(p.noise.stream_quantal + unit), p.now.key0, p.now.key1));
    factor = factor * number::exponential(p.noise.spread * normal - p.noise.half_square);
  }
  if (p.noise.stream_release >= 0) {
    const float uniform = uniform_of(j, p.now.step, number, uint32_t(p.noise.stream_release + unit), p.now.key0, p.now.key1);
    if (T(uniform) > p.noise.probability) factor = T(0);
  }
  return size * (weight * factor);
}

// a thread per trial and target: events in their order, so that a sum rounds as it does in the reference
template <class T> __global__ void add_dense(Propagation<T> p, int width) {
  const int trial = blockIdx.x * (blockDim.x / width) + threadIdx.x / width, j = blockIdx.y * width + threadIdx.x % width;
  if (trial >= p.now.active || j >= p.n_target) return;
  T* at = p.port + size_t(trial) * p.n_target + j;
  T sum = *at;
  for (int t = 0; t < p.n_tables; t++) {
    const Table<T>& table = p.tables[t];
    if (table.delay > p.now.step) continue;
    const Arriving<T> a = arriving(p.source, trial, p.now.step, table.delay, p.batch);
    const T* column = table.rows + j;
    if (p.noise.on || a.sizes || a.release) {
      for (int k = 0; k < a.n; k++) {
        const int unit = a.ids[k] - a.base;
        sum += amount(p, p.now.first_number + uint32_t(trial), unit, j, size_of(a, k), column[unit * p.stride]);
      }
      continue;
    }
    int k = 0;
    for (; k + 4 <= a.n; k += 4) {  // four loads on their way at once; the additions stay in order
      const T w0 = column[(a.ids[k] - a.base) * p.stride], w1 = column[(a.ids[k + 1] - a.base) * p.stride];
      const T w2 = column[(a.ids[k + 2] - a.base) * p.stride], w3 = column[(a.ids[k + 3] - a.base) * p.stride];
      sum += w0; sum += w1; sum += w2; sum += w3;
    }
    for (; k < a.n; k++) sum += column[(a.ids[k] - a.base) * p.stride];
  }
  *at = sum;
}

constexpr int SPARSE_TILE = 512;

// a warp per trial and tile of targets: event after event, the synapses of an event side by side
template <class T> __global__ void add_sparse_in_order(Propagation<T> p) {
  __shared__ T sum[SPARSE_TILE];
  __shared__ int64_t from[32], to[32];
  const int trial = blockIdx.x, lane = threadIdx.x, start = blockIdx.y * SPARSE_TILE;
  const int stop = start + SPARSE_TILE < p.n_target ? start + SPARSE_TILE : p.n_target;
  T* port = p.port + size_t(trial) * p.n_target + start;
  for (int j = lane; j < stop - start; j += 32) sum[j] = port[j];
  for (int t = 0; t < p.n_tables; t++) {
    const Table<T>& table = p.tables[t];
    if (table.delay > p.now.step) continue;
    const Arriving<T> a = arriving(p.source, trial, p.now.step, table.delay, p.batch);
    for (int k0 = 0; k0 < a.n; k0 += 32) {
      __syncwarp();
      if (k0 + lane < a.n) {
        const int unit = a.ids[k0 + lane] - a.base;
        from[lane] = first_not_below(table.target, table.first[unit], table.first[unit + 1], int32_t(start));
        to[lane] = first_not_below(table.target, from[lane], table.first[unit + 1], int32_t(stop));
      }
      __syncwarp();
      for (int q = 0; q < 32 && k0 + q < a.n; q++) {
        const int unit = a.ids[k0 + q] - a.base;
        const T size = size_of(a, k0 + q);
        for (int64_t s = from[q] + lane; s < to[q]; s += 32) {
          const int j = table.target[s];
          sum[j - start] += amount(p, p.now.first_number + uint32_t(trial), unit, j, size, table.rows[s]);
        }
        __syncwarp();
      }
    }
  }
  __syncwarp();
  for (int j = lane; j < stop - start; j += 32) port[j] = sum[j];
}

// a warp per event, in any order: sums may round differently from run to run
template <class T> __global__ void add_sparse_atomic(Propagation<T> p) {
  const int trial = blockIdx.x, lane = threadIdx.x % 32, warps = blockDim.x / 32 * gridDim.y;
  for (int t = 0; t < p.n_tables; t++) {
    const Table<T>& table = p.tables[t];
    if (table.delay > p.now.step) continue;
    const Arriving<T> a = arriving(p.source, trial, p.now.step, table.delay, p.batch);
    for (int k = blockIdx.y * (blockDim.x / 32) + threadIdx.x / 32; k < a.n; k += warps) {
      const int unit = a.ids[k] - a.base;
      const T size = size_of(a, k);
      for (int64_t s = table.first[unit] + lane; s < table.first[unit + 1]; s += 32) {
        const int j = table.target[s];
        atomicAdd(p.port + size_t(trial) * p.n_target + j, amount(p, p.now.first_number + uint32_t(trial), unit, j, size, table.rows[s]));
      }
    }
  }
}

}  // namespace ei
