// Bytes per second of what propagation does: each block adds random rows of 200 floats of a table that fits into the L2 cache; of
// copying device memory; and of the way from ordinary memory of the host to the device. Prints the three.
//
//     bandwidth BLOCKS FLOATS
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

constexpr int ROWS = 1000, WIDTH = 200, EVENTS = 400;

__global__ void add_rows(const float* table, const int* rows, float* out) {
  const int j = threadIdx.x;
  float sum = 0;
  if (j < WIDTH) {
#pragma unroll 8
    for (int k = 0; k < EVENTS; k++) sum += table[rows[(blockIdx.x * 37 + k) % 65536] * WIDTH + j];
    out[blockIdx.x * WIDTH + j] = sum;
  }
}

__global__ void copy(const float4* from, float4* to, size_t n) {
  const size_t k = size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k < n) to[k] = from[k];
}

template <class Work> double seconds(Work work) {
  cudaEvent_t start, stop;
  cudaEventCreate(&start);
  cudaEventCreate(&stop);
  work();
  cudaEventRecord(start);
  work();
  cudaEventRecord(stop);
  cudaEventSynchronize(stop);
  float ms = 0;
  cudaEventElapsedTime(&ms, start, stop);
  return ms * 1e-3;
}

int main(int count, char** words) {
  if (count != 3) return 2;
  const int blocks = std::atoi(words[1]);
  float *table, *out;
  int* rows;
  std::vector<int> numbers(65536);
  uint32_t state = 1;
  for (int& row : numbers) { state = state * 1664525u + 1013904223u; row = int((state >> 8) % ROWS); }
  cudaMalloc(&table, sizeof(float) * ROWS * WIDTH);
  cudaMalloc(&out, sizeof(float) * blocks * WIDTH);
  cudaMalloc(&rows, sizeof(int) * numbers.size());
  cudaMemset(table, 0, sizeof(float) * ROWS * WIDTH);
  cudaMemcpy(rows, numbers.data(), sizeof(int) * numbers.size(), cudaMemcpyHostToDevice);
  const double rows_seconds = seconds([&] { add_rows<<<blocks, 224>>>(table, rows, out); });
  const size_t n = size_t(std::atoll(words[2])) / 4;
  float4 *from, *to;
  if (cudaMalloc(&from, n * 16) != cudaSuccess || cudaMalloc(&to, n * 16) != cudaSuccess) return 1;
  const double copy_seconds = seconds([&] { copy<<<unsigned((n + 255) / 256), 256>>>(from, to, n); });
  const std::vector<float> host(n, 1.0f);  // a quarter of what is copied on the device
  const double way_seconds = seconds([&] { cudaMemcpy(to, host.data(), n * 4, cudaMemcpyHostToDevice); });
  if (cudaDeviceSynchronize() != cudaSuccess) return 1;
  std::printf("%.6g %.6g %.6g\n", double(blocks) * EVENTS * WIDTH * 4 / rows_seconds, 2.0 * n * 16 / copy_seconds, n * 4.0 / way_seconds);
}
