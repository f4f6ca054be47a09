// What adding the rows alone takes: every spike of a run is known before, and nothing is left but the propagation, with the kernel of
// the package and in its order (64 trials side by side, step by step). usage: replay FOLDER N_TRIALS REPEATS
// prints seconds of each repeat. Compile with -I ei_brian/sim/standalone.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>
#include "load.h"
#include "rows.h"

constexpr int N = 200, N_OUT = 10, STEPS = 100, BATCH = 64;

struct Events { std::vector<int32_t> unit; std::vector<int64_t> first; };  // first: of each trial and step

int main(int, char** argv) {
  const std::string folder = argv[1];
  const int n_trials = std::atoi(argv[2]), repeats = std::atoi(argv[3]);
  const Events in{load<int32_t>(folder + "/unit"), load<int64_t>(folder + "/first")};
  const Events hidden{load<int32_t>(folder + "/hidden_unit"), load<int64_t>(folder + "/hidden_first")};
  const auto w_in = load<float>(folder + "/w_in"), w_rec = load<float>(folder + "/w_rec"), w_out = load<float>(folder + "/w_out");
  ei::PaddedRows<float> padded_in, padded_rec, padded_out;
  const ei::Table<float> from_in{0, padded_in.fill(w_in.data(), 784, N), nullptr, nullptr};
  const ei::Table<float> from_hidden{0, padded_rec.fill(w_rec.data(), N, N), nullptr, nullptr};
  const ei::Table<float> to_out{0, padded_out.fill(w_out.data(), N, N_OUT), nullptr, nullptr};
  std::vector<float> g(N * BATCH + 16), out(N_OUT * BATCH + 16);
  const float* none = nullptr;
  for (int repeat = 0; repeat < repeats; repeat++) {
    const auto begin = std::chrono::steady_clock::now();
    for (int chunk = 0; chunk < n_trials; chunk += BATCH)
      for (int step = 0; step < STEPS; step++) {
        const auto each = [&](const Events& events, auto add) {
          for (int trial = chunk; trial < std::min(chunk + BATCH, n_trials); trial++) {
            const int64_t from = events.first[size_t(trial) * STEPS + step], to = events.first[size_t(trial) * STEPS + step + 1];
            if (from < to) add(trial - chunk, events.unit.data() + from, int(to - from));
          }
        };
        each(in, [&](int at, const int32_t* ids, int n) { ei::add_dense<N, false>(from_in, &g[size_t(at) * N], ids, 0, n, none); });
        each(hidden, [&](int at, const int32_t* ids, int n) { ei::add_dense<N, false>(from_hidden, &g[size_t(at) * N], ids, 0, n, none); });
        each(hidden, [&](int at, const int32_t* ids, int n) { ei::add_dense<N_OUT, false>(to_out, &out[size_t(at) * N_OUT], ids, 0, n, none); });
      }
    std::printf("%.9f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return g[0] == 0.5f && out[0] == 0.5f;
}
