// Weights that pairs of spikes change, each trial's its own: the operations of ei_brian/core/stdp.py in their order.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>
#include "session.h"

namespace ei {

struct Units { const int32_t *from, *to; int base; };  // ascending, each of them `base` too large

struct ListOfSpikes {  // of all trials side by side, ascending; asked for one trial after the other
  const int32_t* list;
  int n, size, at = 0;
  Units of(int trial) {
    const int64_t base = int64_t(trial) * size;
    const int first = at;
    while (at < n && list[at] < base + size) at++;
    return Units{list + first, list + at, int(base)};
  }
};

struct Ends { int source, input_start, target, n_source, n_target; };  // numbers of groups; source -1 for an input

template <class T> struct Learned : Ends {
  size_t n;
  T* weights = nullptr;  // of all trials side by side, n each
  std::vector<T> own, x, y;
  bool nearest, soft, carries;  // `carries`: a trial begins with the weights of the one before
  T decay_x, decay_y, a_plus, a_minus, low, high, at_source;
  const T* start;
  const int32_t *pre, *post;
  std::vector<size_t> first_of_source, first_of_target, tables{0};  // `tables`: where the synapses of each delay begin
  std::vector<int32_t> by_source, by_target;  // numbers of synapses
  FILE* file = nullptr;

  void open(DataFile& data, const std::string& name, int batch) {
    const T* rule = data.template get_exactly<T>(name + ".rule", 7);
    decay_x = rule[0]; decay_y = rule[1]; a_plus = rule[2]; a_minus = rule[3]; low = rule[4]; high = rule[5]; at_source = rule[6];
    const int32_t* kinds = data.template get_exactly<int32_t>(name + ".kinds", 3);
    nearest = kinds[0] != 0; soft = kinds[1] != 0; carries = kinds[2] != 0;
    start = data.template get<T>(name + ".start", &n);
    pre = data.template get_exactly<int32_t>(name + ".pre", n);
    post = data.template get_exactly<int32_t>(name + ".post", n);
    sort(name, pre, n_source, first_of_source, by_source);
    sort(name, post, n_target, first_of_target, by_target);
    x.resize(size_t(n_source) * batch);
    y.resize(size_t(n_target) * batch);
  }
  void sort(const std::string& name, const int32_t* unit, int size, std::vector<size_t>& first, std::vector<int32_t>& order) {
    first.assign(size_t(size) + 1, 0);
    order.resize(n);
    for (size_t s = 0; s < n; s++) {
      if (unit[s] < 0 || unit[s] >= size) fail(3, "section %s.pre or .post: %d of %d", name.c_str(), unit[s], size);
      first[unit[s] + 1]++;
    }
    for (int k = 0; k < size; k++) first[k + 1] += first[k];
    std::vector<size_t> at(first.begin(), first.end() - 1);
    for (size_t s = 0; s < n; s++) order[at[unit[s]]++] = int32_t(s);
  }
  void add_table(size_t n_synapses) { tables.push_back(tables.back() + n_synapses); }
  const T* rows(int trial, size_t table) const { return weights + size_t(trial) * n + tables[table]; }

  void begin(int batch, bool first) {
    std::fill(x.begin(), x.end(), T(0));
    std::fill(y.begin(), y.end(), T(0));
    if (carries && !first) return;
    for (int copy = 0; copy < batch; copy++) std::copy(start, start + n, weights + size_t(copy) * n);
  }
  T cut(T value) const { return value < low ? low : (value > high ? high : value); }
  void step(int trial, Units sent, Units received) {
    T *w = weights + size_t(trial) * n, *xs = x.data() + size_t(trial) * n_source, *ys = y.data() + size_t(trial) * n_target;
    for (int k = 0; k < n_source; k++) xs[k] *= decay_x;
    for (int k = 0; k < n_target; k++) ys[k] *= decay_y;
    for (const int32_t* unit = sent.from; unit < sent.to; unit++) {
      const int u = *unit - sent.base;
      xs[u] = nearest ? T(1) : xs[u] + T(1);
      for (size_t k = first_of_source[u]; k < first_of_source[u + 1]; k++) {
        const int32_t s = by_source[k];
        const T down = a_minus * ys[post[s]] * (soft ? w[s] - low : T(1));
        w[s] = cut(w[s] - down + at_source);
      }
    }
    for (const int32_t* unit = received.from; unit < received.to; unit++) {
      const int u = *unit - received.base;
      for (size_t k = first_of_target[u]; k < first_of_target[u + 1]; k++) {
        const int32_t s = by_target[k];
        const T up = a_plus * xs[pre[s]] * (soft ? high - w[s] : T(1));
        w[s] = cut(w[s] + up);
      }
      ys[u] = nearest ? T(1) : ys[u] + T(1);
    }
  }
};

template <class T> struct Learning {
  std::vector<Learned<T>> all;

  // `held`: the weights of Brian2's Synapses of all trials side by side; the program's own are those of a projection
  template <class R, class P> void add(R& run, const std::string& name, Ends ends, P* projection, T* held, size_t total) {
    all.emplace_back();
    Learned<T>& learned = all.back();
    static_cast<Ends&>(learned) = ends;
    learned.open(run.data, name, run.batch);
    learned.file = run.create(name + ".learned");
    if (learned.carries && run.batch != 1) fail(3, "section %s.kinds: trials in order, %d at a time", name.c_str(), run.batch);
    if (projection) {
      projection->learned = int(all.size()) - 1;
      for (const Table<T>& table : projection->given[0]) {
        if (!table.first) fail(3, "section %s: a table without gaps cannot learn", name.c_str());
        learned.add_table(size_t(table.first[ends.n_source]));
      }
      learned.own.resize(learned.n * run.batch);
    } else if (total != learned.n * run.batch) {
      fail(3, "section %s.start: %zu weights, the program has %zu", name.c_str(), learned.n, total / run.batch);
    }
    learned.weights = projection ? learned.own.data() : held;
  }
  template <class R> void begin(const R& run) {
    for (Learned<T>& learned : all) learned.begin(run.batch, run.done == 0);
  }
  template <class R> void step(const R& run) {
    const auto& begin = run.begin_of[size_t(run.step) % run.begin_of.size()];
    const auto& end = run.end_of[size_t(run.step) % run.end_of.size()];
    for (Learned<T>& learned : all) {
      ListOfSpikes sent = of_group(run, learned.source), received = of_group(run, learned.target);
      for (int trial = 0; trial < run.active; trial++) {
        Units before = sent.of(trial);
        if (learned.source < 0) {
          const int32_t *from = run.event_unit + begin[trial], *to = run.event_unit + end[trial];
          from = std::lower_bound(from, to, learned.input_start);
          before = Units{from, std::lower_bound(from, to, learned.input_start + learned.n_source), learned.input_start};
        }
        learned.step(trial, before, received.of(trial));
      }
    }
  }
  template <class R> static ListOfSpikes of_group(const R& run, int index) {
    if (index < 0 || !run.groups[index].spikes) return ListOfSpikes{nullptr, 0, 0};
    const auto& group = run.groups[index];
    return ListOfSpikes{group.spikes, group.spikes[size_t(group.size) * run.batch], group.size};
  }
  template <class R> void write(R& run) {
    for (Learned<T>& learned : all) run.write(learned.file, learned.weights, sizeof(T) * size_t(run.active) * learned.n);
  }
  template <class R> void close(R& run) {
    for (Learned<T>& learned : all) run.close(learned.file);
  }
};

}  // namespace ei
