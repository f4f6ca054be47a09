// How a compiled program runs on a GPU. The loop over the steps stays on the host and launches kernels; between the first and the
// last step of a chunk of trials nothing is copied back but traces whose buffer is full.
#pragma once
#include <unistd.h>
#include <algorithm>
#include <string>
#include <vector>
#include "kernels.h"

#define EI_LAUNCH(kernel, blocks, threads, ...) \
  do { \
    kernel<<<blocks, threads>>>(__VA_ARGS__); \
    ei::check(cudaGetLastError(), "launch"); \
  } while (0)

namespace ei {

constexpr size_t TRACE_BYTES = size_t(256) << 20;  // of the buffer of one trace on the device
constexpr int THREADS = 256;

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) fail(6, "%s: %s", what, cudaGetErrorString(status));
}

inline void begin_program() {  // what Brian2CUDA says on stdout goes to stderr; stdout has the progress
  setenv("CUDA_MODULE_LOADING", "EAGER", 0);  // kernels are loaded before the first step, not within it
  progress_file() = fdopen(dup(1), "w");
  dup2(2, 1);
}

inline unsigned blocks_of(size_t n, int threads = THREADS) { return unsigned((n + threads - 1) / threads); }

template <class T> T* on_device(size_t n) {
  void* at = nullptr;
  if (cudaMalloc(&at, std::max<size_t>(n, 1) * sizeof(T)) != cudaSuccess)
    fail(6, "no memory for %zu bytes; give a smaller Backend.batch", n * sizeof(T));
  return static_cast<T*>(at);
}
template <class T> void upload(T* to, const T* from, size_t n) { if (n) check(cudaMemcpy(to, from, n * sizeof(T), cudaMemcpyHostToDevice), "copy to the device"); }
template <class T> T* uploaded(const T* from, size_t n) {
  T* made = on_device<T>(n);
  upload(made, from, n);
  return made;
}
template <class T> void download(T* to, const T* from, size_t n) { if (n) check(cudaMemcpy(to, from, n * sizeof(T), cudaMemcpyDeviceToHost), "copy from the device"); }
template <class T> void clear(T* at, size_t n, int byte = 0) { check(cudaMemsetAsync(at, byte, n * sizeof(T)), "clearing"); }

template <class T> struct Buffer {  // on the device, as large as the largest chunk so far
  T* at = nullptr;
  size_t room = 0;
  void fill(const T* from, size_t n) {
    if (n > room || !at) {
      if (at) check(cudaFree(at), "freeing");
      at = on_device<T>(n);
      room = n;
    }
    upload(at, from, n);
  }
};

struct DeviceGroup {
  std::string name;
  int size;
  bool spiking, keep_events;
  int32_t *list, *count, *total;
  uint32_t* mask;
  FILE *event_file, *count_file;
};
template <class T> struct DeviceConstant { std::string name; T* at; size_t copies, size; const T* values; };
template <class T> struct DeviceState { std::string name; T* at; int size; const T* values; bool scalar; };
template <class T> struct DeviceDraw { T* at; int size; bool normal, shared; uint32_t stream; };
template <class T> struct DeviceTrace { const T* at; int size, room, kept; T* buffer; FILE* file; };
template <class T> struct DeviceProjection { std::string name; int group; bool sparse; Propagation<T> work; };

template <class T> struct DeviceRun : Session<T> {
  using S = Session<T>;
  using S::data, S::batch, S::n_steps, S::step, S::active, S::n_inputs, S::first_trial, S::n_trials, S::done, S::key0, S::key1, S::score_file;
  using S::event_first, S::event_step, S::event_unit, S::event_value, S::create, S::write, S::close;
  bool in_order = true, single_chunk = false;
  std::vector<DeviceGroup> groups;
  std::vector<DeviceConstant<T>> constants;
  std::vector<DeviceState<T>> states;
  std::vector<DeviceDraw<T>> draws;
  std::vector<DeviceTrace<T>> traces;
  std::vector<DeviceProjection<T>> projections;
  Buffer<int64_t> first;
  Buffer<int32_t> chunk_step, chunk_unit;
  Buffer<T> chunk_value;
  int64_t* bound = nullptr;
  unsigned long long* not_finite = nullptr;
  const T* score = nullptr;
  int score_size = 0;
  std::vector<T> host;
  std::vector<int32_t> host_counts;
  std::vector<uint32_t> host_mask;

  void open(const std::vector<std::string>& args, int batch_, int n_inputs_) {
    S::begin(args, batch_, n_inputs_);
    if (S::conditions.size() != 1) fail(3, "section conditions: %zu; this program runs one", S::conditions.size());
    bound = on_device<int64_t>(size_t(batch) * (n_steps + 1));
    not_finite = on_device<unsigned long long>(1);
  }
  Now now() const { return Now{step, active, uint32_t(first_trial + done), key0, key1}; }

  // ``list`` is Brian2's list of spikes on the device where its threshold writes it in order of trials; null where there is none
  int add_group(const char* name, int size, int32_t* list, bool spiking = true) {
    DeviceGroup group{name, size, spiking && list, false, list, nullptr, nullptr, nullptr, nullptr, nullptr};
    if (group.spiking) {
      group.keep_events = S::keeps_events(name);
      group.count = on_device<int32_t>(batch);
      group.total = on_device<int32_t>(size_t(size) * batch);
      if (group.keep_events) {
        group.mask = on_device<uint32_t>(size_t(n_steps) * batch * words(group));
        group.event_file = create(std::string(name) + ".events");
      }
      group.count_file = create(std::string(name) + ".counts");
    }
    groups.push_back(group);
    return int(groups.size()) - 1;
  }
  static int words(const DeviceGroup& group) { return (group.size + 31) / 32; }
  void add_constant(const char* name, T* at, int size, bool scalar) {
    DeviceConstant<T> made{name, at, scalar ? size_t(1) : size_t(batch), scalar ? size_t(1) : size_t(size), nullptr};
    made.values = data.template get_exactly<T>(name, made.size);
    spread(at, made.values, made.size, made.copies);
    constants.push_back(made);
  }
  void spread(T* at, const T* values, size_t size, size_t copies) {
    T* once = uploaded(values, size);
    EI_LAUNCH(fill_states<T>, blocks_of(size * copies), THREADS, at, once, int(size), false, size * copies);
    check(cudaFree(once), "freeing");
  }
  void add_state(const char* name, T* at, int size) {
    bool scalar;
    const T* values = S::initial(name, size, &scalar);
    states.push_back(DeviceState<T>{name, at, size, uploaded(values, scalar ? 1 : size), scalar});
    if (!S::keeps_trace(name)) return;
    const size_t bytes = sizeof(T) * size * batch;
    const int room = int(std::max<size_t>(1, std::min<size_t>(n_steps, TRACE_BYTES / bytes)));
    traces.push_back(DeviceTrace<T>{at, size, room, 0, on_device<T>(size_t(room) * size * batch), create(std::string("trace.") + name)});
  }
  void add_draw(T* at, int size, bool normal, bool shared, uint32_t stream) { draws.push_back(DeviceDraw<T>{at, size, normal, shared, stream}); }
  void set_score(const T* at, int size) { score = at; score_size = size; score_file = create("scores"); }

  void add_projection(const char* name, int source, int input_start, int n_source, int n_target, T* port, const T* release) {
    DeviceProjection<T> p{name, source, false, {}};
    std::vector<Table<T>> tables = S::tables(name, n_source, n_target);
    const size_t line = 32 / sizeof(T);  // rows start where a memory transaction does
    p.work.stride = (size_t(n_target) + line - 1) / line * line;
    int longest = 0;
    for (Table<T>& table : tables) {
      longest = std::max(longest, table.delay);
      p.sparse = p.sparse || table.first;
      if (table.first) {
        const size_t n = size_t(table.first[n_source]);
        table = Table<T>{table.delay, uploaded(table.rows, n), uploaded(table.first, n_source + 1), uploaded(table.target, n)};
      } else {
        table.rows = padded(table.rows, n_source, n_target, p.work.stride);
      }
    }
    for (const Table<T>& table : tables)
      if (bool(table.first) != p.sparse) fail(3, "section %s: dense and sparse tables in one projection", name);
    p.work.tables = uploaded(tables.data(), tables.size());
    p.work.n_tables = int(tables.size());
    p.work.n_target = n_target;
    p.work.port = port;
    p.work.noise = S::release(name);
    p.work.batch = batch;
    p.work.source = source < 0 ? input_source(input_start, n_source) : group_source(groups[source], release, longest);
    projections.push_back(p);
  }
  const T* padded(const T* rows, size_t n_rows, size_t n, size_t stride) {
    host.assign(n_rows * stride, T(0));
    for (size_t row = 0; row < n_rows; row++) std::copy(rows + row * n, rows + (row + 1) * n, host.begin() + row * stride);
    return uploaded(host.data(), host.size());
  }
  Source<T> input_source(int start, int size) {
    Source<T> source{};
    source.size = size;
    source.bound = bound;
    source.input_start = start;
    source.n_steps = n_steps;
    source.several_inputs = n_inputs > 1;
    return source;
  }
  Source<T> group_source(const DeviceGroup& group, const T* release, int longest) {
    Source<T> source{};
    source.size = group.size;
    source.list = group.list;
    source.count = group.count;
    source.release = release;
    source.keep = longest + 1;
    if (longest > 0) {
      const size_t n = size_t(source.keep) * batch;
      source.past_list = on_device<int32_t>(n * group.size);
      source.past_count = on_device<int32_t>(n);
      if (release) source.past_size = on_device<T>(n * group.size);
    }
    return source;
  }
  void ready() { S::start_clock(); }

  // ---- the phases of a step ----
  void start() {
    if (step == 0) begin_chunk();
    for (const DeviceDraw<T>& draw : draws) {
      const size_t lanes = size_t(draw.size + BLOCK - 1) / BLOCK * LANES, each = draw.shared ? size_t(draw.size) : lanes;
      if (draw.shared) EI_LAUNCH(draw_shared<T>, blocks_of(each * active), THREADS, draw.at, draw.size, draw.normal, draw.stream, now());
      else EI_LAUNCH(draw_each<T>, blocks_of(each * active), THREADS, draw.at, draw.size, draw.normal, draw.stream, now());
    }
  }
  void begin_chunk() {
    active = int(std::min<int64_t>(batch, n_trials - done));
    for (const DeviceState<T>& state : states) {
      const size_t total = size_t(state.size) * batch;
      EI_LAUNCH(fill_states<T>, blocks_of(total), THREADS, state.at, state.values, state.size, state.scalar, total);
    }
    for (DeviceGroup& group : groups) {
      if (!group.spiking) continue;
      clear(group.total, size_t(group.size) * batch);
      clear(group.count, batch);
      if (group.mask) clear(group.mask, size_t(n_steps) * batch * words(group));
    }
    const int64_t* mine = event_first + first_trial + done;
    const size_t n = size_t(mine[active] - mine[0]);
    first.fill(mine, size_t(active) + 1);
    chunk_step.fill(event_step + mine[0], n);
    chunk_unit.fill(event_unit + mine[0], n);
    if (event_value) chunk_value.fill(event_value + mine[0], n);
    EI_LAUNCH(find_steps, blocks_of(size_t(active) * (n_steps + 1)), THREADS, bound, first.at, chunk_step.at, n_steps, active);
    for (DeviceProjection<T>& p : projections)
      if (p.group < 0) { p.work.source.unit = chunk_unit.at; p.work.source.value = event_value ? chunk_value.at : nullptr; }
  }
  SpikeOutput spikes(int index) {  // where the threshold of a group writes in this step
    const DeviceGroup& group = groups[index];
    uint32_t* mask = group.mask ? group.mask + size_t(step) * batch * words(group) : nullptr;
    return SpikeOutput{group.list, group.count, mask, group.total, group.size, words(group), active};
  }
  void record(int index, const int32_t* spikes_of_brian2) {
    const int n = groups[index].size * batch;
    EI_LAUNCH(record_unsorted, blocks_of(n), THREADS, spikes(index), spikes_of_brian2, n);
  }
  void end() {
    for (DeviceTrace<T>& trace : traces) {
      const size_t n = size_t(active) * trace.size;
      check(cudaMemcpyAsync(trace.buffer + trace.kept * n, trace.at, n * sizeof(T), cudaMemcpyDeviceToDevice), "copy on the device");
      if (++trace.kept == trace.room) write_trace(trace);
    }
    if (++step == n_steps) end_chunk();
  }
  void write_trace(DeviceTrace<T>& trace) {
    host.resize(size_t(trace.kept) * active * trace.size);
    download(host.data(), trace.buffer, host.size());
    write(trace.file, host.data(), sizeof(T) * host.size());
    trace.kept = 0;
  }
  void end_chunk() {
    for (const DeviceState<T>& state : states) check_finite(state);
    for (DeviceTrace<T>& trace : traces) write_trace(trace);
    for (DeviceGroup& group : groups) {
      if (!group.spiking) continue;
      host_counts.resize(size_t(active) * group.size);
      download(host_counts.data(), group.total, host_counts.size());
      write(group.count_file, host_counts.data(), sizeof(int32_t) * host_counts.size());
      if (group.keep_events) write_events(group);
    }
    if (score) {
      host.resize(size_t(active) * score_size);
      download(host.data(), score, host.size());
      write(score_file, host.data(), sizeof(T) * host.size());
    }
    S::chunk_done();
    if (done == n_trials) finish();
    else if (single_chunk) fail(3, "more trials than this program runs at once");
  }
  void check_finite(const DeviceState<T>& state) {
    clear(not_finite, 1);
    const size_t total = size_t(active) * state.size;
    EI_LAUNCH(find_not_finite<T>, blocks_of(total), THREADS, state.at, total, not_finite);
    unsigned long long found;
    download(&found, not_finite, 1);
    if (found) fail(5, "%s: not finite at the end of trial %lld", state.name.c_str(), (long long)(first_trial + done + int64_t((found - 1) / state.size)));
  }
  void write_events(const DeviceGroup& group) {  // by trial, step and unit
    const size_t n = words(group);
    host_mask.resize(size_t(n_steps) * batch * n);
    download(host_mask.data(), group.mask, host_mask.size());
    std::vector<int32_t> events;
    for (int trial = 0; trial < active; trial++)
      for (int at = 0; at < n_steps; at++)
        for (size_t word = 0; word < n; word++)
          for (uint32_t bits = host_mask[(size_t(at) * batch + trial) * n + word]; bits; bits &= bits - 1) {
            const int32_t event[3] = {int32_t(done + trial), at, int32_t(word * 32 + __builtin_ctz(bits))};
            events.insert(events.end(), event, event + 3);
          }
    write(group.event_file, events.data(), sizeof(int32_t) * events.size());
  }
  void finish() {
    for (const DeviceConstant<T>& constant : constants) {
      host.resize(constant.copies * constant.size);
      download(host.data(), constant.at, host.size());
      for (size_t copy = 0; copy < constant.copies; copy++)
        if (std::memcmp(host.data() + copy * constant.size, constant.values, sizeof(T) * constant.size) != 0)
          fail(5, "%s: changed during the run", constant.name.c_str());
    }
    for (DeviceGroup& group : groups) { close(group.event_file); close(group.count_file); }
    for (DeviceTrace<T>& trace : traces) close(trace.file);
    S::end();
  }

  template <int ND> void propagate(int index) {
    DeviceProjection<T>& p = projections[index];
    p.work.now = now();
    if (p.work.source.past_list) EI_LAUNCH(remember<T>, active, std::min(THREADS, threads_for(p.work.source.size)), p.work.source, batch, now());
    if (p.sparse && in_order) {
      EI_LAUNCH(add_sparse_in_order<T>, dim3(active, (ND + SPARSE_TILE - 1) / SPARSE_TILE), 32, p.work);
    } else if (p.sparse) {
      const unsigned strands = unsigned(std::max(1, std::min(1024, 65536 / active)));
      EI_LAUNCH(add_sparse_atomic<T>, dim3(active, std::min(strands, blocks_of(p.work.source.size, 4))), 128, p.work);
    } else {
      constexpr int TILES = (ND + THREADS - 1) / THREADS, WIDTH = (ND + TILES - 1) / TILES, EACH = THREADS / WIDTH;
      EI_LAUNCH(add_dense<T>, dim3((active + EACH - 1) / EACH, TILES), EACH * WIDTH, p.work, WIDTH);
    }
  }

  // ---- plain Synapses ----
  void forget_spikes(int32_t* list, int n_neurons) {  // of the last trial, still on their way
    clear(list, n_neurons, 0xff);
    clear(list + n_neurons, 1);
  }
  void present(T* values, int input_start, int size) {
    clear(values, size_t(size) * batch);
    EI_LAUNCH(ei::present<T>, active, 32, values, input_start, size, bound, chunk_unit.at, event_value ? chunk_value.at : nullptr, n_steps, now());
  }
  void set_synapses(const char* name, T* at, size_t total, int n) {
    const T* values = data.template get_exactly<T>(std::string(name) + ".w", n);
    if (total != size_t(n) * batch) fail(3, "section %s.w: %d weights, the program has %zu", name, n, total / batch);
    spread(at, values, n, batch);
  }

  void compete(const T* margin, T* winner, int size) { EI_LAUNCH(find_winners<T>, blocks_of(active), THREADS, margin, winner, size, active); }
};

}  // namespace ei
