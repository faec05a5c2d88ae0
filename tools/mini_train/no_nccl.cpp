// What stands in for tools/mini_train/nccl.cpp in a build without NCCL.
#include "tensor/error.h"
#include "tools/mini_train/processes.h"

namespace mini {

std::unique_ptr<Processes> on_gpus(Processes& /*processes*/, Device gpu) {
  fail("device: ", gpu,
       ": several processes on GPUs need NCCL, and mini was built without; build it where nvcc and "
       "nccl.h are found (-DMINI_CUDA=ON), or start one process without mpirun");
}

}  // namespace mini
