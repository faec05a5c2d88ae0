// Marks a function that runs on the host and in a GPU's kernels alike.
#pragma once

#ifdef __CUDACC__
#define MINI_HOST_DEVICE __host__ __device__
#else
#define MINI_HOST_DEVICE
#endif
