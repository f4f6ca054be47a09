// What the memory can do: bytes per second of adding rows of 800 bytes, picked at random, from tables of several sizes.
// prints: table bytes, bytes per second
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

int main() {
  const int n = 200;
  for (size_t rows : {200, 784, 4000, 40000, 400000}) {
    std::vector<float> table(rows * n, 1.f), sum(n, 0.f);
    std::vector<uint32_t> order(200000);
    uint32_t x = 12345;
    for (auto& row : order) { x = x * 1664525u + 1013904223u; row = uint32_t((uint64_t(x) * rows) >> 32); }
    double best = 0;
    for (int repeat = 0; repeat < 5; repeat++) {
      const auto begin = std::chrono::steady_clock::now();
      for (size_t k = 0; k + 8 <= order.size(); k += 8) {  // eight rows at a time, so that loads and not the sums set the pace
        const float* row[8];
        for (int r = 0; r < 8; r++) row[r] = &table[size_t(order[k + r]) * n];
        float* __restrict to = sum.data();
        for (int i = 0; i < n; i++)
          to[i] += ((row[0][i] + row[1][i]) + (row[2][i] + row[3][i])) + ((row[4][i] + row[5][i]) + (row[6][i] + row[7][i]));
      }
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const double rate = double(order.size()) * n * sizeof(float) / seconds;
      if (rate > best) best = rate;
    }
    std::printf("%zu %.6e %g\n", rows * n * sizeof(float), best, double(sum[0]));
  }
}
