// A CUDA device that is the processor: what Brian2CUDA's programs and ours ask of the runtime, one thread after the other.
// Threads of a block are coroutines; a warp runs as far as it comes, until all of it waits for the others. Memory of the device can
// be touched by kernels and copies only; it is nonsense when given out and when freed, and a write behind its end is found.
#pragma once
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cpu_device {

constexpr unsigned WARP = 32, MOST_THREADS = 1024;
constexpr size_t STACK = 128 << 10;

[[noreturn]] inline void stop(const char* what) {
  std::fprintf(stderr, "cpu_device: %s (block %u, thread %u)\n", what, blockIdx.x, threadIdx.x);
  std::fflush(nullptr);
  std::_Exit(99);
}

// ---- what happened, for tests: launches, copies that the host waits for, others, waits for the device ------------------------------

struct Tally { long long launches, blocking, streamed, waits; };
inline Tally tally;

inline void count(long long& what) {
  static const char* path = std::getenv("CPU_DEVICE_TALLY");
  static FILE* file = path ? std::fopen(path, "w") : nullptr;
  what++;
  if (!file) return;
  std::rewind(file);
  std::fprintf(file, "%lld %lld %lld %lld\n", tally.launches, tally.blocking, tally.streamed, tally.waits);
  std::fflush(file);
}

// ---- memory: one arena, closed while the host runs; never given out twice -----------------------------------------------------------

constexpr size_t ARENA = size_t(8) << 30, BOUNDARY = 256;  // room, of which what is used is memory; and where a piece begins
constexpr unsigned char NONSENSE = 0x5a;

struct Piece { size_t n_bytes, fence; };  // nonsense from its end up to ``fence`` bytes further, which no kernel may change
inline std::map<char*, Piece> pieces;
inline char *arena = nullptr, *top = nullptr;

inline void open_memory(bool open) {
  if (top == arena) return;
  const size_t page = size_t(sysconf(_SC_PAGESIZE)), used = (size_t(top - arena) + page - 1) / page * page;
  mprotect(arena, used, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

inline void check_fences() {
  for (const auto& [at, piece] : pieces)
    for (size_t k = piece.n_bytes; k < piece.n_bytes + piece.fence; k++)
      if (static_cast<unsigned char>(at[k]) != NONSENSE) stop("memory was written behind its end");
}

struct Opened {
  Opened() { open_memory(true); }
  ~Opened() { check_fences(); open_memory(false); }
};

inline void* take(size_t n_bytes) {
  if (!arena) {
    void* room = mmap(nullptr, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return nullptr;
    arena = top = static_cast<char*>(room);
  }
  const size_t whole = (n_bytes + 2 * BOUNDARY - 1) / BOUNDARY * BOUNDARY;
  static const char* room = std::getenv("CPU_DEVICE_BYTES");  // less memory than there is
  if (top + whole > arena + (room ? size_t(std::atoll(room)) : ARENA)) return nullptr;
  char* at = top;
  top += whole;
  open_memory(true);
  std::memset(at, NONSENSE, whole);
  open_memory(false);
  pieces[at] = Piece{n_bytes, whole - n_bytes};
  return at;
}

inline bool give(void* at) {
  if (!at) return true;
  const auto found = pieces.find(static_cast<char*>(at));
  if (found == pieces.end()) return false;
  const Opened memory;
  std::memset(at, NONSENSE, found->second.n_bytes);
  pieces.erase(found);
  return true;
}

// ---- threads ----------------------------------------------------------------------------------------------------------------------

enum class State { ready, at_warp_barrier, at_block_barrier, done };

struct Thread {  // a coroutine that runs one kernel after the other; it hands over by longjmp, which asks nothing of the system
  ucontext_t first;
  jmp_buf place;
  std::unique_ptr<char[]> stack;
  State state = State::done;
};

inline std::vector<Thread> threads(MOST_THREADS);
inline ucontext_t beginning;
inline jmp_buf scheduler;
inline unsigned current = 0;
inline const std::function<void()>* body = nullptr;
inline unsigned votes[MOST_THREADS];

inline void hand_over(State state) {
  threads[current].state = state;
  if (!_setjmp(threads[current].place)) _longjmp(scheduler, 1);
}

inline void work() {
  while (true) {
    (*body)();
    hand_over(State::done);
  }
}

inline void wait_at(State barrier) { hand_over(barrier); }

inline void resume(unsigned k) {
  Thread& thread = threads[k];
  current = k;
  threadIdx = dim3(k);
  if (_setjmp(scheduler)) return;
  if (thread.stack) _longjmp(thread.place, 1);
  thread.stack.reset(new char[STACK]);
  getcontext(&thread.first);
  thread.first.uc_stack.ss_sp = thread.stack.get();
  thread.first.uc_stack.ss_size = STACK;
  thread.first.uc_link = nullptr;
  makecontext(&thread.first, work, 0);
  swapcontext(&beginning, &thread.first);
}

// CPU_DEVICE_ORDER: "reversed", or a number that shuffles; blocks and threads come in ascending order unless it is set
inline const std::vector<unsigned>& order_of(unsigned n, std::vector<unsigned>& order) {
  static const char* asked = std::getenv("CPU_DEVICE_ORDER");
  static std::mt19937 shuffling(asked ? unsigned(std::atoi(asked)) : 0u);
  if (order.size() != n) { order.resize(n); std::iota(order.begin(), order.end(), 0u); }
  if (!asked) return order;
  if (std::strcmp(asked, "reversed") != 0) { std::shuffle(order.begin(), order.end(), shuffling); return order; }
  for (unsigned k = 0; k < n; k++) order[k] = n - 1 - k;
  return order;
}

inline bool release(unsigned first, unsigned last, State barrier) {  // if all that are left of first … last - 1 wait at it
  bool any = false;
  for (unsigned k = first; k < last; k++) {
    if (threads[k].state == State::done) continue;
    if (threads[k].state != barrier) return false;
    any = true;
  }
  if (any) for (unsigned k = first; k < last; k++) if (threads[k].state == barrier) threads[k].state = State::ready;
  return any;
}

inline void run_warp(unsigned first, unsigned last) {  // as far as it comes without the others
  static std::vector<unsigned> order;
  do {
    for (unsigned k : order_of(last - first, order))
      if (threads[first + k].state == State::ready) resume(first + k);
  } while (release(first, last, State::at_warp_barrier));
}

inline void run_block() {
  static std::vector<unsigned> order;
  const unsigned n = blockDim.x;
  for (unsigned k = 0; k < n; k++) threads[k].state = State::ready;
  while (true) {
    for (unsigned warp : order_of((n + WARP - 1) / WARP, order)) run_warp(warp * WARP, std::min(n, (warp + 1) * WARP));
    bool left = false;
    for (unsigned k = 0; k < n; k++) left |= threads[k].state != State::done;
    if (!left) return;
    if (!release(0, n, State::at_block_barrier)) stop("threads wait for each other at different barriers");
  }
}

inline void launch(dim3 blocks, dim3 size, const std::function<void()>& kernel) {
  static std::vector<unsigned> order;
  if (blocks.x < 1 || blocks.y < 1 || blocks.z != 1 || size.x < 1 || size.x > MOST_THREADS || size.y != 1 || size.z != 1 ||
      blocks.x > 0x7fffffffu || blocks.y > 0xffffu)
    stop("a launch that a device refuses");
  count(tally.launches);
  const Opened memory;
  gridDim = blocks;
  blockDim = size;
  body = &kernel;
  for (unsigned block : order_of(blocks.x * blocks.y, order)) {
    blockIdx = dim3(block % blocks.x, block / blocks.x);
    run_block();
  }
}

template <class... A> auto on(void (*kernel)(A...), dim3 blocks, dim3 size, size_t shared = 0) {  // kernel<<<blocks, size>>>
  if (shared) stop("shared memory of a size given at the launch");
  return [=](std::type_identity_t<A>... given) { launch(blocks, size, [&] { kernel(given...); }); };
}

}  // namespace cpu_device

inline void __syncthreads() { cpu_device::wait_at(cpu_device::State::at_block_barrier); }
inline void __syncwarp(unsigned = ~0u) { cpu_device::wait_at(cpu_device::State::at_warp_barrier); }
inline void __threadfence() {}
inline unsigned __ballot_sync(unsigned mask, bool vote) {
  using namespace cpu_device;
  const unsigned me = current, first = me / WARP * WARP;
  if (mask != ~0u || first + WARP > blockDim.x) stop("a ballot without the whole warp");
  votes[me] = vote;
  __syncwarp();
  unsigned ballot = 0;
  for (unsigned k = 0; k < WARP; k++) {
    if (threads[first + k].state == State::done) stop("a ballot in which a thread is missing");
    ballot |= votes[first + k] << k;
  }
  __syncwarp();
  return ballot;
}
inline int __popc(unsigned word) { return __builtin_popcount(word); }
inline long long __double_as_longlong(double value) { long long bits; std::memcpy(&bits, &value, 8); return bits; }
inline double __longlong_as_double(long long bits) { double value; std::memcpy(&value, &bits, 8); return value; }
inline int __float_as_int(float value) { int bits; std::memcpy(&bits, &value, 4); return bits; }
inline float __int_as_float(int bits) { float value; std::memcpy(&value, &bits, 4); return value; }
template <class T, class V> T atomicAdd(T* at, V value) { const T before = *at; *at = before + T(value); return before; }
template <class T> T atomicSub(T* at, T value) { const T before = *at; *at = before - value; return before; }
template <class T, class V> T atomicOr(T* at, V value) { const T before = *at; *at = before | T(value); return before; }
template <class T, class E, class V> T atomicCAS(T* at, E expected, V value) { const T before = *at; if (before == T(expected)) *at = T(value); return before; }

enum cudaError { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2 };
typedef cudaError cudaError_t;
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaLimit { cudaLimitMallocHeapSize };
typedef void* cudaStream_t;
struct cudaDeviceProp {
  char name[256] = "the processor";
  int maxThreadsPerBlock = 1024, maxThreadsPerMultiProcessor = 2048, warpSize = 32, multiProcessorCount = 2, major = 9, minor = 0;
  size_t sharedMemPerBlock = 48 << 10, totalGlobalMem = size_t(1) << 30;
};
inline int most_threads() {  // CPU_DEVICE_THREADS: as many as the registers of a greedy kernel would allow
  static const char* asked = std::getenv("CPU_DEVICE_THREADS");
  return asked ? std::atoi(asked) : 1024;
}
struct cudaFuncAttributes { int maxThreadsPerBlock = most_threads(), numRegs = 0; size_t sharedSizeBytes = 0, localSizeBytes = 0, constSizeBytes = 0; };

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : error == cudaErrorMemoryAllocation ? "out of memory" : "invalid argument";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { cpu_device::count(cpu_device::tally.waits); return cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) { *properties = cudaDeviceProp(); return cudaSuccess; }
inline cudaError_t cudaDeviceSetLimit(cudaLimit, size_t) { return cudaSuccess; }
inline cudaError_t cudaMemGetInfo(size_t* available, size_t* total) { *available = *total = size_t(1) << 30; return cudaSuccess; }
template <class K> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* found, K) { *found = cudaFuncAttributes(); return cudaSuccess; }
template <class K> cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, K, int, size_t) { *blocks = 1; return cudaSuccess; }
template <class K> cudaError_t cudaOccupancyMaxPotentialBlockSize(int* blocks, int* size, K, size_t = 0, int = 0) {
  *blocks = 2;
  *size = 96;  // whole warps, no power of two
  return cudaSuccess;
}
inline cudaError_t cudaMalloc(void** at, size_t n_bytes) {
  *at = cpu_device::take(n_bytes);
  return *at ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* at) { return cpu_device::give(at) ? cudaSuccess : cudaErrorInvalidValue; }
namespace cpu_device {
inline cudaError_t copy(void* to, const void* from, size_t n_bytes) {
  const Opened memory;
  std::memcpy(to, from, n_bytes);
  return cudaSuccess;
}
inline cudaError_t fill(void* at, int value, size_t n_bytes) {
  const Opened memory;
  std::memset(at, value, n_bytes);
  return cudaSuccess;
}
}  // namespace cpu_device
inline cudaError_t cudaMemcpy(void* to, const void* from, size_t n_bytes, cudaMemcpyKind) {
  cpu_device::count(cpu_device::tally.blocking);
  return cpu_device::copy(to, from, n_bytes);
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n_bytes, cudaMemcpyKind kind, cudaStream_t = nullptr) {
  cpu_device::count(kind == cudaMemcpyDeviceToDevice ? cpu_device::tally.streamed : cpu_device::tally.blocking);
  return cpu_device::copy(to, from, n_bytes);
}
template <class S> cudaError_t cudaMemcpyToSymbol(S& symbol, const void* from, size_t n_bytes) {
  cpu_device::count(cpu_device::tally.blocking);
  return cpu_device::copy((void*)&symbol, from, n_bytes);
}
inline cudaError_t cudaMemset(void* at, int value, size_t n_bytes) {
  cpu_device::count(cpu_device::tally.streamed);
  return cpu_device::fill(at, value, n_bytes);
}
inline cudaError_t cudaMemsetAsync(void* at, int value, size_t n_bytes, cudaStream_t = nullptr) { return cudaMemset(at, value, n_bytes); }

struct float4 { float x, y, z, w; };
typedef double* cudaEvent_t;  // when it was, in seconds
inline cudaError_t cudaEventCreate(cudaEvent_t* event) { *event = new double(0); return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t event) {
  *event = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaDeviceSynchronize(); }
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) { *ms = float((*to - *from) * 1e3); return cudaSuccess; }
template <class T> cudaError_t cudaMalloc(T** at, size_t n_bytes) { return cudaMalloc((void**)at, n_bytes); }
