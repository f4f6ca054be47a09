// How a compiled C++ program runs: states, noise, propagation by rows, recording.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include "counter.h"
#include "session.h"

namespace ei {

template <class T> struct Group {
  std::string name;
  int size;
  const int32_t* spikes;  // Brian2's list of this step, its length behind the last place; null for cells that never spike
  bool keep_events = false;
  std::vector<int32_t> counts, events;
  FILE *event_file = nullptr, *count_file = nullptr;
  std::vector<std::vector<int32_t>> past;  // spikes of earlier steps, for projections with a delay
  std::vector<std::vector<T>> past_sizes;
  const T* release = nullptr;
};

template <class T> struct Constant { std::string name; T* at; int copies, size; const T* values; bool scalar; };
template <class T> struct State { std::string name; T* at; int size; const T* values; bool scalar; };
template <class T> struct Draw { T* at; int size; bool normal, shared; uint32_t stream; };
template <class T> struct Trace { const T* at; int size; FILE* file; };
#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, TILE_VECTORS = 16;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, TILE_VECTORS = 8;
#else
constexpr int VECTOR_BYTES = 16, TILE_VECTORS = 8;
#endif
template <class T> struct Vector {
  typedef T type __attribute__((vector_size(VECTOR_BYTES)));
  static constexpr int WIDTH = VECTOR_BYTES / sizeof(T), TILE = TILE_VECTORS;
};
template <class T> constexpr size_t padded(size_t n) { return (n * sizeof(T) + 63) / 64 * 64 / sizeof(T); }

inline void* large(size_t bytes) {  // on huge pages where the system has them
  constexpr size_t PAGE = size_t(2) << 20;
  void* at = nullptr;
  if (posix_memalign(&at, bytes >= PAGE / 4 ? PAGE : 64, std::max<size_t>(bytes, 64)) != 0) fail(4, "no memory for %zu bytes", bytes);
#ifdef MADV_HUGEPAGE
  if (bytes >= PAGE / 4) madvise(at, (bytes + PAGE - 1) / PAGE * PAGE, MADV_HUGEPAGE);
#endif
  return at;
}

template <class T> const T* padded_rows(const T* rows, size_t n_rows, size_t n) {  // each row on cache lines of its own
  const size_t stride = padded<T>(n);
  T* made = static_cast<T*>(large(n_rows * stride * sizeof(T)));
  for (size_t row = 0; row < n_rows; row++) {
    std::copy(rows + row * n, rows + (row + 1) * n, made + row * stride);
    std::fill(made + row * stride + n, made + (row + 1) * stride, T(0));
  }
  return made;
}

template <class T> struct Projection {
  std::string name;
  int source;             // index of the group, -1 for an input
  int input_start, n_source, n_target;
  T* port;
  const T* release;       // scales each spike, or null
  int history;            // index of its own history of spikes, -1 where no table has a delay
  std::vector<Table<T>> tables;
  Release<T> noise;
};

template <class T> struct History { int keep; std::vector<std::vector<int32_t>> spikes; std::vector<std::vector<T>> sizes; };

template <class T, bool NOISY = true> struct Run : Session<T> {
  using S = Session<T>;
  using S::data, S::batch, S::n_steps, S::step, S::active, S::n_inputs, S::first_trial, S::n_trials, S::done, S::key0, S::key1, S::score_file;
  using S::event_first, S::event_step, S::event_unit, S::event_value, S::create, S::write, S::close;
  int longest_input_delay = 0;
  std::vector<Group<T>> groups;
  std::vector<Constant<T>> constants;
  std::vector<State<T>> states;
  std::vector<Draw<T>> draws;
  std::vector<Trace<T>> traces;
  std::vector<Projection<T>> projections;
  std::vector<History<T>> histories;
  std::vector<int64_t> cursor;
  std::vector<std::vector<int64_t>> begin_of, end_of;  // events of each trial in this and earlier steps, a ring
  const T* score = nullptr;
  int score_size = 0;
  std::vector<T> buffer, buffer2;

  void open(const std::vector<std::string>& args, int batch_, int n_inputs_) {
    S::begin(args, batch_, n_inputs_);
    cursor.resize(batch);
  }
  int add_group(const char* name, int size, const int32_t* spikes) {
    Group<T> group;
    group.name = name; group.size = size; group.spikes = spikes;
    if (spikes) {
      group.keep_events = S::keeps_events(name);
      group.counts.assign(size_t(size) * batch, 0);
      if (group.keep_events) group.event_file = create(std::string(name) + ".events");
      group.count_file = create(std::string(name) + ".counts");
    }
    groups.push_back(group);
    return int(groups.size()) - 1;
  }
  void add_constant(const char* name, T* at, int size, bool scalar) {
    Constant<T> made{name, at, scalar ? 1 : batch, scalar ? 1 : size, data.template get_exactly<T>(name, scalar ? 1 : size), scalar};
    for (int copy = 0; copy < made.copies; copy++) std::copy(made.values, made.values + made.size, at + size_t(copy) * made.size);
    constants.push_back(made);
  }
  void add_state(const char* name, T* at, int size) {
    bool scalar;
    const T* values = S::initial(name, size, &scalar);
    states.push_back(State<T>{name, at, size, values, scalar});
    if (S::keeps_trace(name)) traces.push_back(Trace<T>{at, size, create(std::string("trace.") + name)});
  }
  void add_draw(T* at, int size, bool normal, bool shared, uint32_t stream) { draws.push_back(Draw<T>{at, size, normal, shared, stream}); }
  void set_score(const T* at, int size) { score = at; score_size = size; score_file = create("scores"); }

  void add_projection(const char* name, int source, int input_start, int n_source, int n_target, T* port, const T* release) {
    Projection<T> p;
    p.name = name; p.source = source; p.input_start = input_start; p.n_source = n_source; p.n_target = n_target; p.port = port;
    p.release = release; p.history = -1;
    int longest = 0;
    p.tables = S::tables(name, n_source, n_target);
    for (Table<T>& table : p.tables) {
      if (!table.first) table.rows = padded_rows(table.rows, n_source, n_target);
      longest = std::max(longest, table.delay);
    }
    p.noise = S::release(name);
    if (p.noise.on) {
      if (!NOISY) fail(3, "section %s.noise: this program draws no numbers", name);
      buffer.resize(std::max(buffer.size(), size_t(n_target)));
      buffer2.resize(buffer.size());
    }
    if (source < 0) longest_input_delay = std::max(longest_input_delay, longest);
    else if (longest > 0) {
      p.history = int(histories.size());
      histories.push_back(History<T>{longest + 1, {}, {}});
      histories.back().spikes.resize(longest + 1);
      histories.back().sizes.resize(longest + 1);
    }
    projections.push_back(p);
  }
  void ready() {
    begin_of.assign(longest_input_delay + 1, std::vector<int64_t>(batch, 0));
    end_of = begin_of;
    S::start_clock();
  }

  // ---- the phases of a step ----
  void start() {
    if (step == 0) begin_chunk();
    std::vector<int64_t>&begin = begin_of[step % begin_of.size()], &end = end_of[step % end_of.size()];
    for (int trial = 0; trial < active; trial++) {
      const int64_t last = event_first[first_trial + done + trial + 1];
      int64_t at = cursor[trial];
      begin[trial] = at;
      while (at < last && event_step[at] == step) at++;
      end[trial] = cursor[trial] = at;
    }
    if constexpr (NOISY) draw();
  }
  void draw() {
    for (const Draw<T>& draw : draws)
      for (int trial = 0; trial < active; trial++) {
        T* out = draw.at + size_t(trial) * draw.size;
        const int n = draw.shared ? 1 : draw.size;
        const uint32_t number = uint32_t(first_trial + done + trial);
        if (draw.normal) normals<T>(out, n, uint32_t(step), number, draw.stream, key0, key1);
        else uniforms<T>(out, n, uint32_t(step), number, draw.stream, key0, key1);
        if (draw.shared) std::fill(out + 1, out + draw.size, out[0]);
      }
  }
  void begin_chunk() {
    active = int(std::min<int64_t>(batch, n_trials - done));
    for (const State<T>& state : states)
      for (int copy = 0; copy < batch; copy++) {
        T* at = state.at + size_t(copy) * state.size;
        if (state.scalar) std::fill(at, at + state.size, state.values[0]);
        else std::copy(state.values, state.values + state.size, at);
      }
    for (int trial = 0; trial < active; trial++) cursor[trial] = event_first[first_trial + done + trial];
    for (Group<T>& group : groups) { std::fill(group.counts.begin(), group.counts.end(), 0); group.events.clear(); }
  }
  void end() {
    for (Group<T>& group : groups)
      if (group.spikes) record(group);
    for (Trace<T>& trace : traces) write(trace.file, trace.at, sizeof(T) * size_t(active) * trace.size);
    if (++step == n_steps) end_chunk();
  }
  void record(Group<T>& group) {
    const int n = group.spikes[size_t(group.size) * batch];
    int trial = 0, next = group.size;
    for (int k = 0; k < n; k++) {
      const int id = group.spikes[k];
      while (id >= next) { trial++; next += group.size; }
      if (trial >= active) break;
      group.counts[id]++;
      if (group.keep_events) { group.events.push_back(trial); group.events.push_back(step); group.events.push_back(id - next + group.size); }
    }
  }
  void end_chunk() {
    for (const State<T>& state : states)
      for (size_t k = 0; k < size_t(active) * state.size; k++)
        if (!std::isfinite(state.at[k])) fail(5, "%s: not finite at the end of trial %lld", state.name.c_str(), (long long)(first_trial + done + int64_t(k) / state.size));
    for (Group<T>& group : groups) {
      if (!group.spikes) continue;
      write(group.count_file, group.counts.data(), sizeof(int32_t) * size_t(active) * group.size);
      if (group.keep_events) write_events(group);
    }
    if (score) write(score_file, score, sizeof(T) * size_t(active) * score_size);
    S::chunk_done();
    if (done == n_trials) finish();
  }
  void write_events(Group<T>& group) {  // by trial; within a trial they stand in the order of steps and units already
    const size_t n = group.events.size() / 3;
    std::vector<size_t> place(active + 1, 0);
    for (size_t k = 0; k < n; k++) place[group.events[3 * k] + 1]++;
    for (int trial = 0; trial < active; trial++) place[trial + 1] += place[trial];
    std::vector<int32_t> sorted(3 * n);
    for (size_t k = 0; k < n; k++) {
      int32_t* to = &sorted[3 * place[group.events[3 * k]]++];
      to[0] = int32_t(done + group.events[3 * k]); to[1] = group.events[3 * k + 1]; to[2] = group.events[3 * k + 2];
    }
    write(group.event_file, sorted.data(), sizeof(int32_t) * sorted.size());
  }
  void finish() {
    for (const Constant<T>& constant : constants)
      for (int copy = 0; copy < constant.copies; copy++)
        if (std::memcmp(constant.at + size_t(copy) * constant.size, constant.values, sizeof(T) * constant.size) != 0)
          fail(5, "%s: changed during the run", constant.name.c_str());
    for (Group<T>& group : groups) { close(group.event_file); close(group.count_file); }
    for (Trace<T>& trace : traces) close(trace.file);
    S::end();
  }

  // ---- propagation: spikes add rows of a weight table that all trials share ----
  template <int ND> void propagate(int index) {
    Projection<T>& p = projections[index];
    if (p.source < 0) return propagate_input<ND>(p);
    const Group<T>& group = groups[p.source];
    const int32_t* spikes = group.spikes;
    const int n = spikes[size_t(p.n_source) * batch];
    if (p.history >= 0) remember(p, spikes, n);
    for (const Table<T>& table : p.tables) {
      if (table.delay > step) continue;
      const int32_t* list = spikes;
      const T* sizes = nullptr;
      int count = n;
      if (p.history >= 0) {
        const History<T>& history = histories[p.history];
        const size_t place = size_t(step - table.delay) % history.keep;
        list = history.spikes[place].data(); count = int(history.spikes[place].size());
        sizes = p.release ? history.sizes[place].data() : nullptr;
      } else if (p.release) {
        gathered.resize(n);
        for (int k = 0; k < n; k++) gathered[k] = p.release[spikes[k]];
        sizes = gathered.data();
      }
      int trial = 0, base = 0;
      for (int k = 0; k < count;) {
        while (list[k] >= base + p.n_source) { trial++; base += p.n_source; }
        if (trial >= active) break;
        int last = k + 1;
        while (last < count && list[last] < base + p.n_source) last++;
        add<ND>(p, table, p.port + size_t(trial) * ND, list + k, base, last - k, sizes ? sizes + k : nullptr, trial);
        k = last;
      }
    }
  }
  std::vector<T> gathered;
  void remember(Projection<T>& p, const int32_t* spikes, int n) {
    History<T>& history = histories[p.history];
    const size_t place = size_t(step) % history.keep;
    history.spikes[place].assign(spikes, spikes + n);
    if (p.release) {
      history.sizes[place].resize(n);
      for (int k = 0; k < n; k++) history.sizes[place][k] = p.release[spikes[k]];
    }
  }
  template <int ND> void propagate_input(const Projection<T>& p) {
    for (const Table<T>& table : p.tables) {
      if (table.delay > step) continue;
      const size_t place = size_t(step - table.delay) % begin_of.size();
      for (int trial = 0; trial < active; trial++) {
        int64_t from = begin_of[place][trial], to = end_of[place][trial];
        if (n_inputs > 1) {
          from = std::lower_bound(event_unit + from, event_unit + to, p.input_start) - event_unit;
          to = std::lower_bound(event_unit + from, event_unit + to, p.input_start + p.n_source) - event_unit;
        }
        if (from < to)
          add<ND>(p, table, p.port + size_t(trial) * ND, event_unit + from, p.input_start, int(to - from), event_value ? event_value + from : nullptr, trial);
      }
    }
  }
  template <int ND> void add(const Projection<T>& p, const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes, int trial) {
    if constexpr (NOISY) if (p.noise.on) return add_released<ND>(p, table, target, ids, base, n, sizes, trial);
    if (table.first) return add_sparse(table, target, ids, base, n, sizes);
    if (sizes) add_dense<ND, true>(table, target, ids, base, n, sizes);
    else add_dense<ND, false>(table, target, ids, base, n, sizes);
  }
  // rows are added in their order, so that the sum of a neuron rounds as it does in the reference; a tile of the sum stays in registers
  template <int ND, bool SIZED> void add_dense(const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes) {
    constexpr int WIDTH = Vector<T>::WIDTH, TILE = WIDTH * Vector<T>::TILE;
    constexpr int WHOLE = ND / TILE, REST = ND - WHOLE * TILE;
    for (int tile = 0; tile < WHOLE; tile++)
      add_tile<Vector<T>::TILE, TILE, ND, SIZED>(table.rows + tile * TILE, target + tile * TILE, ids, base, n, sizes);
    if constexpr (REST > 0)
      add_tile<(REST + WIDTH - 1) / WIDTH, REST, ND, SIZED>(table.rows + WHOLE * TILE, target + WHOLE * TILE, ids, base, n, sizes);
  }
  template <int VECTORS, int COUNT, int ND, bool SIZED> static void add_tile(const T* rows, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes) {
    using V = typename Vector<T>::type;
    constexpr size_t STRIDE = padded<T>(ND);
    constexpr int LAST = sizeof(T) * (COUNT - (VECTORS - 1) * Vector<T>::WIDTH);  // bytes of the last vector that are neurons
    V sum[VECTORS];
    sum[VECTORS - 1] = V{};
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; v++) std::memcpy(&sum[v], target + v * Vector<T>::WIDTH, v + 1 < VECTORS ? sizeof(V) : LAST);
    for (int k = 0; k < n; k++) {
      const T* row = rows + size_t(ids[k] - base) * STRIDE;
#pragma GCC unroll 16
      for (int v = 0; v < VECTORS; v++) {
        V values;
        std::memcpy(&values, row + v * Vector<T>::WIDTH, sizeof(V));
        if constexpr (SIZED) sum[v] += sizes[k] * values;
        else sum[v] += values;
      }
    }
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; v++) std::memcpy(target + v * Vector<T>::WIDTH, &sum[v], v + 1 < VECTORS ? sizeof(V) : LAST);
  }
  void add_sparse(const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes) {
    for (int k = 0; k < n; k++) {
      const int unit = ids[k] - base;
      const T size = sizes ? sizes[k] : T(1);
      for (int64_t s = table.first[unit]; s < table.first[unit + 1]; s++) target[table.target[s]] += size * table.rows[s];
    }
  }
  // each synapse of a spike releases or fails, and its quantum varies: numbers by (target, step of arrival, trial, stream + source)
  template <int ND> void add_released(const Projection<T>& p, const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes, int trial) {
    const uint32_t number = uint32_t(first_trial + done + trial);
    const bool fails = p.noise.stream_release >= 0, varies = p.noise.stream_quantal >= 0;
    T *uniform = buffer.data(), *normal = buffer2.data();
    for (int k = 0; k < n; k++) {
      const int unit = ids[k] - base;
      const T size = sizes ? sizes[k] : T(1);
      if (fails) uniforms<T>(uniform, ND, uint32_t(step), number, uint32_t(p.noise.stream_release + unit), key0, key1);
      if (varies) normals<T>(normal, ND, uint32_t(step), number, uint32_t(p.noise.stream_quantal + unit), key0, key1);
      const auto amount = [&](int j, T weight) {
        T factor = p.noise.scale;
        if (varies) factor = factor * std::min(std::max(T(1) + p.noise.cv * normal[j], T(0)), T(100));
        if (fails && uniform[j] > p.noise.probability) factor = T(0);
        return size * (weight * factor);
      };
      if (table.first)
        for (int64_t s = table.first[unit]; s < table.first[unit + 1]; s++) target[table.target[s]] += amount(table.target[s], table.rows[s]);
      else
        for (int j = 0; j < ND; j++) target[j] += amount(j, table.rows[size_t(unit) * padded<T>(ND) + j]);
    }
  }
  // ---- plain Synapses: inputs are groups whose ``value`` is the input of the step ----
  void present(T* values, int input_start, int size) {
    const size_t place = size_t(step) % begin_of.size();
    std::fill(values, values + size_t(size) * batch, T(0));
    for (int trial = 0; trial < active; trial++)
      for (int64_t k = begin_of[place][trial]; k < end_of[place][trial]; k++) {
        const int unit = event_unit[k] - input_start;
        if (unit >= 0 && unit < size) values[size_t(trial) * size + unit] = event_value ? event_value[k] : T(1);
      }
  }
  void set_synapses(const char* name, T* at, size_t total, int n) {
    const T* values = data.template get_exactly<T>(std::string(name) + ".w", n);
    if (total != size_t(n) * batch) fail(3, "section %s.w: %d weights, the program has %zu", name, n, total / batch);
    for (int copy = 0; copy < batch; copy++) std::copy(values, values + n, at + size_t(copy) * n);
  }
};

}  // namespace ei
