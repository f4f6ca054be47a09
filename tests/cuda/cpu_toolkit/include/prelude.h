// Read before everything else: Thrust for the processor, and then what tells the sources that a CUDA compiler is at work.
#pragma once
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_CPP
#if __has_include(<thrust/device_vector.h>)
#include <thrust/device_vector.h>
#include <thrust/host_vector.h>
#include <thrust/reduce.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/system_error.h>
#include <thrust/unique.h>
#endif
#include <cuda_runtime.h>
#define __CUDACC__
#define __CUDA_ARCH__ 900
