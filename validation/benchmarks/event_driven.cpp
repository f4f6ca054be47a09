// A peer: the same network written by hand, event by event, one trial after the other, trials over OpenMP threads.
// usage: event_driven FOLDER N_TRIALS N_HIDDEN REPEATS   (FOLDER holds what peers.py writes); prints seconds and spikes, and at last its most memory in KiB.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
#include "load.h"

static long peak_kib() {  // of this program alone; what the system says at its end counts the process that started it
  long kib = 0;
  char line[256];
  if (FILE* file = std::fopen("/proc/self/status", "r")) {
    while (std::fgets(line, sizeof line, file)) std::sscanf(line, "VmHWM: %ld", &kib);
    std::fclose(file);
  }
  return kib;
}

int main(int, char** argv) {
  typedef REAL R;
  const std::string folder = argv[1];
  const int n_trials = std::atoi(argv[2]), n = std::atoi(argv[3]), repeats = std::atoi(argv[4]), n_out = 10, steps = 100;
  const auto w_in = load<R>(folder + "/w_in"), w_rec = load<R>(folder + "/w_rec"), w_out = load<R>(folder + "/w_out");
  const auto unit = load<int32_t>(folder + "/unit");         // of all input events, by trial and step
  const auto first = load<int64_t>(folder + "/first");       // first event of each trial and step
  const R decay_mem = std::exp(-1 / 20.0), decay_syn = std::exp(-1 / 5.0), threshold = 0.45;
  const R g_to_v = 5.0 / (5.0 - 20.0) * (std::exp(-1 / 5.0) - std::exp(-1 / 20.0));
  for (int repeat = 0; repeat < repeats; repeat++) {
    const auto begin = std::chrono::steady_clock::now();
    long n_spikes = 0;
#pragma omp parallel for reduction(+ : n_spikes)
    for (int trial = 0; trial < n_trials; trial++) {
      std::vector<R> v(n, 0), g(n, 0), v_out(n_out, 0), g_out(n_out, 0);
      std::vector<int> spikes(n);
      R *__restrict pv = v.data(), *__restrict pg = g.data(), *__restrict pv_out = v_out.data(), *__restrict pg_out = g_out.data();
      for (int step = 0; step < steps; step++) {
        for (int i = 0; i < n; i++) { pv[i] = pv[i] * decay_mem + pg[i] * g_to_v; pg[i] *= decay_syn; }
        for (int i = 0; i < n_out; i++) { pv_out[i] = pv_out[i] * decay_mem + pg_out[i] * g_to_v; pg_out[i] *= decay_syn; }
        int count = 0;
        for (int i = 0; i < n; i++)
          if (pv[i] > threshold) spikes[count++] = i;
        for (int64_t e = first[size_t(trial) * steps + step]; e < first[size_t(trial) * steps + step + 1]; e++) {
          const R* __restrict row = &w_in[size_t(unit[e]) * n];
          for (int i = 0; i < n; i++) pg[i] += row[i];
        }
        for (int s = 0; s < count; s++) {
          const R *__restrict row = &w_rec[size_t(spikes[s]) * n], *__restrict row_out = &w_out[size_t(spikes[s]) * n_out];
          for (int i = 0; i < n; i++) pg[i] += row[i];
          for (int i = 0; i < n_out; i++) pg_out[i] += row_out[i];
        }
        for (int s = 0; s < count; s++) pv[spikes[s]] = 0;
        n_spikes += count;
      }
    }
    std::printf("%.6f %ld\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), n_spikes);
  }
  std::printf("%ld\n", peak_kib());
}
