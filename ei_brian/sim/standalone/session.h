// What every compiled program of ei_brian does with its data file and its results, wherever it runs.
#pragma once
#ifdef __linux__
#include <sys/prctl.h>
#include <csignal>
#endif
#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>
#include "arithmetic.h"
#include "data_file.h"

namespace ei {

// one weight table: dense rows of all targets, or rows of the synapses that there are
template <class T> struct Table { int delay; const T* rows; const int64_t* first; const int32_t* target; };

template <class T> struct Release { bool on = false; T scale = 1, probability = 1, spread = 0, half_square = 0; int64_t stream_release = -1, stream_quantal = -1; };

inline FILE*& progress_file() {
  static FILE* file = stdout;
  return file;
}

// what a network is given for some of the trials of a run; trials of several conditions are numbered on
template <class T> struct Condition {
  int64_t first, stop;
  int n_steps;
  uint32_t key0, key1;
  const int64_t* event_first;
  const int32_t *event_step, *event_unit;
  const T* event_value;
};

template <class T> struct Session {
  DataFile data;
  std::vector<Condition<T>> conditions;
  int condition = -1;
  std::string folder;
  int batch = 0, n_steps = 0, step = 0, active = 0, n_inputs = 1;
  int64_t first_trial = 0, n_trials = 0, done = 0;
  uint32_t key0 = 0, key1 = 0;
  bool finished = false;
  std::chrono::steady_clock::time_point started;
  const int64_t* event_first = nullptr;
  const int32_t *event_step = nullptr, *event_unit = nullptr;
  const T* event_value = nullptr;
  FILE* score_file = nullptr;

  FILE* create(const std::string& name) {
    FILE* file = std::fopen((folder + "/" + name).c_str(), "wb");
    if (!file) fail(4, "cannot write %s: %s", name.c_str(), std::strerror(errno));
    return file;
  }
  void write(FILE* file, const void* bytes, size_t size) {
    if (size && std::fwrite(bytes, 1, size, file) != size) fail(4, "cannot write results: %s", std::strerror(errno));
  }
  void close(FILE* file) {
    if (file && std::fclose(file) != 0) fail(4, "cannot write results: %s", std::strerror(errno));
  }

  void begin(const std::vector<std::string>& args, int batch_, int n_inputs_) {
    if (args.size() != 4) fail(3, "started without its data: run it through ei_brian");
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a run whose caller was killed ends with it
#endif
    check_arithmetic();
    batch = batch_;
    n_inputs = n_inputs_;
    data.open(args[0].c_str());
    folder = args[1];
    first_trial = std::atoll(args[2].c_str());
    n_trials = std::atoll(args[3].c_str());
    const int64_t n_conditions = data.get_exactly<int64_t>("conditions", 1)[0];
    for (int64_t c = 0; c < n_conditions; c++) {
      data.condition = int(c);
      conditions.push_back(read_condition(conditions.empty() ? 0 : conditions.back().stop));
    }
    const int64_t total = conditions.empty() ? 0 : conditions.back().stop;
    if (first_trial < 0 || n_trials < 1 || first_trial + n_trials > total) fail(3, "trials %lld + %lld of %lld", (long long)first_trial, (long long)n_trials, (long long)total);
    enter(first_trial);
  }
  Condition<T> read_condition(int64_t first) {
    const int64_t* settings = data.get_exactly<int64_t>("settings", 4);
    const int64_t count = settings[3];
    if (settings[0] < 1 || settings[0] > INT32_MAX || count < 1) fail(3, "section settings: %lld steps, %lld trials", (long long)settings[0], (long long)count);
    Condition<T> made{first, first + count, int(settings[0]), uint32_t(settings[1]), uint32_t(settings[2]), nullptr, nullptr, nullptr, nullptr};
    size_t n_events, other;
    made.event_first = data.get_exactly<int64_t>("input.first", size_t(count) + 1);
    made.event_step = data.get<int32_t>("input.step", &n_events);
    made.event_unit = data.get<int32_t>("input.unit", &other);
    if (n_events != other || made.event_first[count] != int64_t(n_events)) fail(3, "input: steps and units differ in number");
    if (data.find("input.value")) made.event_value = data.get_exactly<T>("input.value", n_events);
    return made;
  }
  bool enter(int64_t trial) {  // the condition of a trial, which is not before the present one; true where it is another
    int at = std::max(condition, 0);
    while (trial >= conditions[at].stop) at++;
    if (at == condition) return false;
    condition = at;
    const Condition<T>& now = conditions[at];
    n_steps = now.n_steps; key0 = now.key0; key1 = now.key1;
    event_first = now.event_first; event_step = now.event_step; event_unit = now.event_unit; event_value = now.event_value;
    return true;
  }
  template <class F> void each_condition(F look_up) {
    for (data.condition = 0; data.condition < int(conditions.size()); data.condition++) look_up();
    data.condition = 0;
  }
  bool keeps_events(const std::string& group) { return data.get_exactly<int32_t>(group + "..keep", 1)[0] != 0; }
  bool keeps_trace(const std::string& state) { return data.find("trace." + state) != nullptr; }
  const T* initial(const std::string& state, int size, bool* scalar) {
    size_t count;
    const T* values = data.get<T>(state, &count);
    if (count != 1 && count != size_t(size)) fail(3, "section %s: %zu values for %d neurons", state.c_str(), count, size);
    *scalar = count == 1;
    return values;
  }
  std::vector<Table<T>> tables(const std::string& projection, int n_source, int n_target) {
    std::vector<Table<T>> made;
    size_t n_tables;
    const int32_t* delays = data.get<int32_t>(projection + ".delays", &n_tables);
    for (size_t k = 0; k < n_tables; k++) {
      const std::string here = projection + "." + std::to_string(k);
      Table<T> table{delays[k], nullptr, nullptr, nullptr};
      if (table.delay < 0) fail(3, "section %s.delays: negative", projection.c_str());
      if (data.find(here + ".first")) {
        table.first = data.get_exactly<int64_t>(here + ".first", size_t(n_source) + 1);
        table.rows = data.get_exactly<T>(here + ".rows", size_t(table.first[n_source]));
        table.target = data.get_exactly<int32_t>(here + ".target", size_t(table.first[n_source]));
        for (int64_t s = 0; s < table.first[n_source]; s++)
          if (table.target[s] < 0 || table.target[s] >= n_target) fail(3, "section %s.target: %d of %d", here.c_str(), table.target[s], n_target);
      } else {
        table.rows = data.get_exactly<T>(here + ".rows", size_t(n_source) * n_target);
      }
      made.push_back(table);
    }
    return made;
  }
  Release<T> release(const std::string& projection) {
    if (!data.find(projection + ".noise")) return Release<T>{};
    const T* levels = data.get_exactly<T>(projection + ".noise", 4);
    const int64_t* streams = data.get_exactly<int64_t>(projection + ".streams", 2);
    return Release<T>{true, levels[0], levels[1], levels[2], levels[3], streams[0], streams[1]};
  }
  void start_clock() {
    started = std::chrono::steady_clock::now();
    for (const Section& s : data.sections)
      if (!s.used && std::strncmp(s.name, "trace.", 6) != 0) fail(3, "section %s: this program has no use for it", s.name);
  }
  void chunk_done() {
    done += active;
    step = 0;
    std::fprintf(progress_file(), "%lld\n", (long long)done);
    std::fflush(progress_file());
  }
  void end() {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();  // without the echo
    close(score_file);
    FILE* echo = create("echo");
    for (const Section& s : data.sections) std::fprintf(echo, "%s %llu\n", s.name, (unsigned long long)checksum(data.base + s.offset, s.bytes));
    std::fprintf(echo, "seconds %.9f\ndone %lld %lld\n", seconds, (long long)first_trial, (long long)done);
    close(echo);
    finished = true;
  }
};

}  // namespace ei
