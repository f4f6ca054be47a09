// The roof: how fast one core can read weights, as bytes per second, from tables of the sizes that are given.
// usage: bandwidth BYTES...   prints: table bytes, bytes per second from one end to the other, the same by rows in random order
//
// Nothing but loads and additions into registers, the best of several passes: what a program does with weights cannot be faster.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif
typedef float Vector __attribute__((vector_size(BYTES)));
constexpr int FLOATS = BYTES / 4, TOGETHER = 8;

static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

static Vector passed(const float* from, size_t vectors) {  // eight sums, so that no addition waits for the one before
  Vector sum[TOGETHER] = {};
  for (size_t k = 0; k + TOGETHER <= vectors; k += TOGETHER)
#pragma GCC unroll 8
    for (int v = 0; v < TOGETHER; v++) {
      Vector value;
      std::memcpy(&value, from + (k + v) * FLOATS, BYTES);
      sum[v] += value;
    }
  for (int v = 1; v < TOGETHER; v++) sum[0] += sum[v];
  return sum[0];
}

template <int ROW> static double rows_rate(const float* table, size_t floats, Vector& kept) {  // rows of ROW vectors, at random
  const size_t rows = floats / (ROW * FLOATS);
  if (rows < 2) return 0;
  std::vector<uint32_t> order(1 << 16);
  uint32_t x = 12345;
  for (auto& row : order) { x = x * 1664525u + 1013904223u; row = uint32_t((uint64_t(x) * rows) >> 32); }
  double best = 0;
  for (int repeat = 0; repeat < 7; repeat++) {
    const double begin = now();
    Vector sum[ROW] = {};
    for (const uint32_t row : order)
#pragma GCC unroll 16
      for (int v = 0; v < ROW; v++) {
        Vector value;
        std::memcpy(&value, table + (size_t(row) * ROW + v) * FLOATS, BYTES);
        sum[v] += value;
      }
    for (int v = 0; v < ROW; v++) kept += sum[v];
    const double rate = double(order.size()) * ROW * BYTES / (now() - begin);
    if (rate > best) best = rate;
  }
  return best;
}

int main(int count, char** sizes) {
  Vector kept = {};
  for (int k = 1; k < count; k++) {
    const size_t bytes = std::strtoull(sizes[k], nullptr, 10) / (BYTES * TOGETHER) * (BYTES * TOGETHER), floats = bytes / 4;
    void* at = nullptr;
    if (bytes == 0 || posix_memalign(&at, size_t(2) << 20, bytes) != 0) return 2;
    float* table = static_cast<float*>(at);
    for (size_t f = 0; f < floats; f++) table[f] = 1.f;
    const size_t passes = (size_t(1) << 28) / bytes + 1;
    double best = 0;
    for (int repeat = 0; repeat < 7; repeat++) {
      const double begin = now();
      for (size_t pass = 0; pass < passes; pass++) {
        kept += passed(table, bytes / BYTES);
        asm volatile("" ::: "memory");  // each pass is made
      }
      const double rate = double(bytes) * double(passes) / (now() - begin);
      if (rate > best) best = rate;
    }
    std::printf("%s %.6e %.6e\n", sizes[k], best, rows_rate<13>(table, floats, kept));
    std::free(at);
  }
  return kept[0] == 0.5f;
}
