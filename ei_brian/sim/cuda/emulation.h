// A CUDA device in plain C++, one thread after the other: the kernels of ei_brian run on it without a GPU, to be compared with the
// reference. Threads of a block that wait for each other are coroutines; __syncthreads hands over to the next one.
#pragma once
#include <ucontext.h>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace ei_emulation {

constexpr size_t STACK = 64 << 10;

struct Thread {
  ucontext_t context;
  std::vector<char> stack;
  bool done = false;
};

inline std::vector<Thread> threads;
inline ucontext_t scheduler;
inline unsigned current = 0;
inline std::function<void()> body;
inline std::vector<unsigned> votes(1024);

inline void entry() {
  body();
  threads[current].done = true;
  swapcontext(&threads[current].context, &scheduler);
}

// with EI_REVERSED, blocks and threads go from the last to the first: where no barrier is missing, results are the same
inline unsigned turn(unsigned k, unsigned n) {
#ifdef EI_REVERSED
  return n - 1 - k;
#else
  return (void)n, k;
#endif
}

inline void wait() { swapcontext(&threads[current].context, &scheduler); }

inline void run_block() {  // every thread to its next barrier, again and again
  const unsigned n = blockDim.x;
  if (threads.size() < n) threads.resize(n);
  for (unsigned k = 0; k < n; k++) {
    Thread& thread = threads[k];
    thread.stack.resize(STACK);
    thread.done = false;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = STACK;
    thread.context.uc_link = &scheduler;
    makecontext(&thread.context, entry, 0);
  }
  for (unsigned left = n; left > 0;) {
    left = 0;
    for (unsigned k = 0; k < n; k++) {
      current = turn(k, n);
      if (threads[current].done) continue;
      threadIdx = dim3(current);
      swapcontext(&scheduler, &threads[current].context);
      left += !threads[current].done;
    }
  }
}

template <class Kernel> void launch(dim3 blocks, dim3 size, bool together, Kernel kernel) {
  gridDim = blocks;
  blockDim = size;
  body = kernel;
  for (unsigned k = 0; k < blocks.x * blocks.y; k++) {
    const unsigned block = turn(k, blocks.x * blocks.y);
    blockIdx = dim3(block % blocks.x, block / blocks.x);
    if (together) { run_block(); continue; }
    for (unsigned t = 0; t < size.x; t++) { threadIdx = dim3(turn(t, size.x)); kernel(); }
  }
}

}  // namespace ei_emulation

inline void __syncthreads() { ei_emulation::wait(); }
inline void __syncwarp() { ei_emulation::wait(); }
inline unsigned __ballot_sync(unsigned, bool vote) {
  const unsigned me = ei_emulation::current, first = me / 32 * 32;
  ei_emulation::votes[me] = vote;
  ei_emulation::wait();
  unsigned ballot = 0;
  for (unsigned k = 0; k < 32 && first + k < blockDim.x; k++) ballot |= ei_emulation::votes[first + k] << k;
  ei_emulation::wait();
  return ballot;
}
inline int __popc(unsigned word) { return __builtin_popcount(word); }
template <class T> T atomicAdd(T* at, T value) { const T before = *at; *at = before + value; return before; }
inline unsigned atomicOr(unsigned* at, unsigned value) { const unsigned before = *at; *at = before | value; return before; }

typedef int cudaError_t;
constexpr cudaError_t cudaSuccess = 0;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
inline const char* cudaGetErrorString(cudaError_t) { return "emulated"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaMalloc(void** at, size_t bytes) {  // filled with nonsense, as a device may be
  *at = std::malloc(bytes);
  if (*at) std::memset(*at, 0x5a, bytes);
  return *at ? cudaSuccess : 2;
}
inline cudaError_t cudaFree(void* at) { std::free(at); return cudaSuccess; }
inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) { std::memcpy(to, from, bytes); return cudaSuccess; }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) { return cudaMemcpy(to, from, bytes, kind); }
inline cudaError_t cudaMemset(void* at, int value, size_t bytes) { std::memset(at, value, bytes); return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes) { return cudaMemset(at, value, bytes); }

#define EI_LAUNCH(kernel, blocks, threads, ...) ei_emulation::launch(blocks, threads, false, [&] { kernel(__VA_ARGS__); })
#define EI_LAUNCH_TOGETHER(kernel, blocks, threads, ...) ei_emulation::launch(blocks, threads, true, [&] { kernel(__VA_ARGS__); })
