// Marks a function that can be called from the host and from a kernel.
#pragma once

#ifdef __CUDACC__
#define MINI_HOST_DEVICE __host__ __device__
#else
#define MINI_HOST_DEVICE
#endif
