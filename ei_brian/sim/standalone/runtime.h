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
#include "exponential_number.h"
#include "learning.h"
#include "rows.h"

namespace ei {

template <class T> struct Group {
  std::string name;
  int size;
  const int32_t* spikes;  // Brian2's list of this step, its length behind the last place; null for cells that never spike
  bool keep_events = false;
  std::vector<int32_t> counts, events;
  FILE *event_file = nullptr, *count_file = nullptr;
};

// values by condition, as they stand in the data file
template <class T> struct Constant { std::string name; T* at; size_t copies, size; std::vector<const T*> values; };
template <class T> struct State { std::string name; T* at; int size; std::vector<const T*> values; std::vector<bool> scalar; };
template <class T> struct Draw { T* at; int size; bool normal, shared; uint32_t stream; };
template <class T> struct Trace { const T* at; int size; FILE* file; };

template <class T> struct Projection {
  std::string name;
  int source;             // index of the group, -1 for an input
  int input_start, n_source, n_target;
  T* port;
  const T* release;       // scales each spike, or null
  int learned = -1;       // index of the weights that each trial has for itself, -1 where all share one table
  int history;            // index of its own history of spikes, -1 where no table has a delay
  std::vector<Table<T>> tables;  // of the present condition
  Release<T> noise;
  std::vector<std::vector<Table<T>>> given;  // by condition, as they stand in the data file
  std::vector<Release<T>> noises;
  std::vector<PaddedRows<T>> padded_rows;
};

template <class T> struct History { int keep; std::vector<std::vector<int32_t>> spikes; std::vector<std::vector<T>> sizes; };

template <class T, bool NOISY = true, bool LEARNS = false> struct Run : Session<T> {
  using S = Session<T>;
  using S::data, S::batch, S::n_steps, S::step, S::active, S::n_inputs, S::first_trial, S::n_trials, S::done, S::key0, S::key1, S::score_file;
  using S::event_first, S::event_step, S::event_unit, S::event_value, S::create, S::write, S::close, S::condition, S::conditions;
  int longest_input_delay = 0;
  int64_t chunk_first = 0;  // number of the first trial of the chunk within its condition
  std::vector<Group<T>> groups;
  std::vector<Constant<T>> constants, synapses;
  std::vector<State<T>> states;
  std::vector<Draw<T>> draws;
  std::vector<Trace<T>> traces;
  std::vector<Projection<T>> projections;
  std::vector<History<T>> histories;
  Learning<T> learning;
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
    Constant<T> made{name, at, scalar ? size_t(1) : size_t(batch), scalar ? size_t(1) : size_t(size), {}};
    S::each_condition([&] { made.values.push_back(data.template get_exactly<T>(name, made.size)); });
    constants.push_back(made);
  }
  void add_state(const char* name, T* at, int size) {
    State<T> made{name, at, size, {}, {}};
    S::each_condition([&] {
      bool scalar;
      made.values.push_back(S::initial(name, size, &scalar));
      made.scalar.push_back(scalar);
    });
    states.push_back(made);
    if (S::keeps_trace(name)) traces.push_back(Trace<T>{at, size, create(std::string("trace.") + name)});
  }
  void add_draw(T* at, int size, bool normal, bool shared, uint32_t stream) { draws.push_back(Draw<T>{at, size, normal, shared, stream}); }
  void set_score(const T* at, int size) { score = at; score_size = size; score_file = create("scores"); }

  void add_projection(const char* name, int source, int input_start, int n_source, int n_target, T* port, const T* release) {
    Projection<T> p;
    p.name = name; p.source = source; p.input_start = input_start; p.n_source = n_source; p.n_target = n_target; p.port = port;
    p.release = release; p.history = -1;
    int longest = 0;
    S::each_condition([&] {
      p.given.push_back(S::tables(name, n_source, n_target));
      p.noises.push_back(S::release(name));
      for (const Table<T>& table : p.given.back()) longest = std::max(longest, table.delay);
      if (p.noises.back().on && !NOISY) fail(3, "section %s.noise: this program draws no numbers", name);
    });
    buffer.resize(std::max(buffer.size(), size_t(n_target)));
    buffer2.resize(buffer.size());
    if (source < 0) longest_input_delay = std::max(longest_input_delay, longest);
    else if (longest > 0) {
      p.history = int(histories.size());
      histories.push_back(History<T>{longest + 1, {}, {}});
      histories.back().spikes.resize(longest + 1);
      histories.back().sizes.resize(longest + 1);
    }
    projections.push_back(p);
  }
  void add_learning(const char* name, int projection, int source, int input_start, int target, int n_source, int n_target, T* held, size_t total) {
    learning.add(*this, name, {source, input_start, target, n_source, n_target}, projection < 0 ? nullptr : &projections[projection], held, total);
  }
  void ready() {
    begin_of.assign(longest_input_delay + 1, std::vector<int64_t>(batch, 0));
    end_of = begin_of;
    load();
    S::start_clock();
  }
  void load() {  // the numbers of the present condition that stay as they are
    for (const Constant<T>& constant : constants)
      for (size_t copy = 0; copy < constant.copies; copy++)
        std::copy(constant.values[condition], constant.values[condition] + constant.size, constant.at + copy * constant.size);
    for (const Constant<T>& weights : synapses)
      for (size_t copy = 0; copy < weights.copies; copy++)
        std::copy(weights.values[condition], weights.values[condition] + weights.size, weights.at + copy * weights.size);
    for (Projection<T>& p : projections) {
      p.noise = p.noises[condition];
      p.tables = p.given[condition];
      p.padded_rows.resize(std::max(p.padded_rows.size(), p.tables.size()));
      for (size_t k = 0; k < p.tables.size(); k++)
        if (!p.tables[k].first) p.tables[k].rows = p.padded_rows[k].fill(p.tables[k].rows, p.n_source, p.n_target);
    }
  }

  // ---- the phases of a step ----
  void start() {
    if (step == 0) begin_chunk();
    std::vector<int64_t>&begin = begin_of[step % begin_of.size()], &end = end_of[step % end_of.size()];
    for (int trial = 0; trial < active; trial++) {
      const int64_t last = event_first[chunk_first + trial + 1];
      begin[trial] = cursor[trial];
      end[trial] = cursor[trial] = end_of_step(cursor[trial], last);
    }
    if constexpr (NOISY) draw();
  }
  int64_t end_of_step(int64_t at, int64_t last) const {  // of the events from `at` on, which are sorted and of this step or later ones
    while (at + 16 <= last && event_step[at + 15] == step) at += 16;
    for (int width = 8; width > 0; width /= 2)  // fewer than 16 are left
      at += at + width <= last && event_step[at + width - 1] == step ? width : 0;
    return at;
  }
  void draw() {
    for (const Draw<T>& draw : draws)
      for (int trial = 0; trial < active; trial++) {
        T* out = draw.at + size_t(trial) * draw.size;
        const int n = draw.shared ? 1 : draw.size;
        const uint32_t number = uint32_t(chunk_first + trial);
        if (draw.normal) normals<T>(out, n, uint32_t(step), number, draw.stream, key0, key1);
        else uniforms<T>(out, n, uint32_t(step), number, draw.stream, key0, key1);
        if (draw.shared) std::fill(out + 1, out + draw.size, out[0]);
      }
  }
  void begin_chunk() {
    const int64_t trial_of_run = first_trial + done;
    if (trial_of_run >= conditions[condition].stop) {
      check_constants();
      S::enter(trial_of_run);
      load();
    }
    chunk_first = trial_of_run - conditions[condition].first;
    active = int(std::min({int64_t(batch), n_trials - done, conditions[condition].stop - trial_of_run}));
    for (const State<T>& state : states)
      for (int copy = 0; copy < batch; copy++) {
        T* at = state.at + size_t(copy) * state.size;
        const T* values = state.values[condition];
        if (state.scalar[condition]) std::fill(at, at + state.size, values[0]);
        else std::copy(values, values + state.size, at);
      }
    if constexpr (LEARNS) learning.begin(*this);
    for (int trial = 0; trial < active; trial++) cursor[trial] = event_first[chunk_first + trial];
    for (Group<T>& group : groups) { std::fill(group.counts.begin(), group.counts.end(), 0); group.events.clear(); }
  }
  void end() {
    for (Group<T>& group : groups)
      if (group.spikes) record(group);
    for (Trace<T>& trace : traces) write(trace.file, trace.at, sizeof(T) * size_t(active) * trace.size);
    if constexpr (LEARNS) learning.step(*this);
    if (++step == n_steps) end_chunk();
  }
  void record(Group<T>& group) {
    const int n = group.spikes[size_t(group.size) * batch];
    const int size = group.size, known = int(std::lower_bound(group.spikes, group.spikes + n, size * active) - group.spikes);
    for (int k = 0; k < known; k++) group.counts[group.spikes[k]]++;
    if (!group.keep_events) return;
    const size_t before = group.events.size();
    group.events.resize(before + size_t(known) * 3);
    int32_t* to = group.events.data() + before;
    int trial = 0, first = 0;
    for (int k = 0; k < known; k++, to += 3) {
      while (group.spikes[k] >= first + size) { trial++; first += size; }
      to[0] = trial; to[1] = step; to[2] = group.spikes[k] - first;
    }
  }
  void end_chunk() {
    for (const State<T>& state : states)
      for (size_t k = 0; k < size_t(active) * state.size; k++)
        if (!is_finite(state.at[k])) fail(5, "%s: not finite at the end of trial %lld", state.name.c_str(), (long long)(chunk_first + int64_t(k) / state.size));
    for (Group<T>& group : groups) {
      if (!group.spikes) continue;
      write(group.count_file, group.counts.data(), sizeof(int32_t) * size_t(active) * group.size);
      if (group.keep_events) write_events(group);
    }
    if constexpr (LEARNS) learning.write(*this);
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
  void check_constants() const {
    for (const Constant<T>& constant : constants)
      for (size_t copy = 0; copy < constant.copies; copy++)
        if (std::memcmp(constant.at + copy * constant.size, constant.values[condition], sizeof(T) * constant.size) != 0)
          fail(5, "%s: changed during the run", constant.name.c_str());
  }
  void finish() {
    check_constants();
    for (Group<T>& group : groups) { close(group.event_file); close(group.count_file); }
    for (Trace<T>& trace : traces) close(trace.file);
    if constexpr (LEARNS) learning.close(*this);
    S::end();
  }

  // ---- competition: of each trial, the neuron of largest margin (the first of equals) may spike ----
  void compete(const T* margin, T* winner, int size) {
    for (int trial = 0; trial < active; trial++, margin += size, winner += size) {
      std::fill(winner, winner + size, T(0));
      winner[std::max_element(margin, margin + size) - margin] = T(1);
    }
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
  template <int ND> void add(const Projection<T>& p, const Table<T>& given, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes, int trial) {
    if constexpr (LEARNS)
      if (p.learned >= 0) {
        Table<T> own = given;
        own.rows = learning.all[p.learned].rows(trial, &given - p.tables.data());
        return add_table<ND>(p, own, target, ids, base, n, sizes, trial);
      }
    add_table<ND>(p, given, target, ids, base, n, sizes, trial);
  }
  template <int ND> void add_table(const Projection<T>& p, const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes, int trial) {
    if constexpr (NOISY) if (p.noise.on) return add_released<ND>(p, table, target, ids, base, n, sizes, trial);
    if (table.first) return ei::add_sparse(table, target, ids, base, n, sizes);
    if (sizes) ei::add_dense<ND, true>(table, target, ids, base, n, sizes);
    else ei::add_dense<ND, false>(table, target, ids, base, n, sizes);
  }
  // each synapse of a spike releases or fails, and its quantum varies: numbers by (target, step of arrival, trial, stream + source)
  template <int ND> void add_released(const Projection<T>& p, const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes, int trial) {
    const uint32_t number = uint32_t(chunk_first + trial);
    const bool fails = p.noise.stream_release >= 0, varies = p.noise.stream_quantal >= 0;
    T *uniform = buffer.data(), *normal = buffer2.data();
    for (int k = 0; k < n; k++) {
      const int unit = ids[k] - base;
      const T size = sizes ? sizes[k] : T(1);
      if (fails) uniforms<T>(uniform, ND, uint32_t(step), number, uint32_t(p.noise.stream_release + unit), key0, key1);
      if (varies) normals<T>(normal, ND, uint32_t(step), number, uint32_t(p.noise.stream_quantal + unit), key0, key1);
      const auto amount = [&](int j, T weight) {
        T factor = p.noise.scale;
        if (varies) factor = factor * number::exponential(p.noise.spread * normal[j] - p.noise.half_square);
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
    Constant<T> made{std::string(name) + ".w", at, size_t(batch), size_t(n), {}};
    S::each_condition([&] { made.values.push_back(data.template get_exactly<T>(made.name, n)); });
    if (total != made.size * batch) fail(3, "section %s.w: %d weights, the program has %zu", name, n, total / batch);
    synapses.push_back(made);
  }
};

}  // namespace ei
