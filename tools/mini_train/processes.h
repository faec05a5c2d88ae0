// The processes that mpirun started together, for mini_train. tools/mini_train/mpi.cpp holds them
// together; a build without MPI has no_mpi.cpp in its place.
#pragma once

#include <memory>

#include "train/collective.h"

namespace mini {

class Processes : public train::Collective {
 public:
  // The rank of this process among those on the same machine.
  virtual int local_rank() const = 0;
  // Ends all processes at once, with exit code 1.
  virtual void abort() = 0;
};

// How many processes mpirun started, as Open MPI and MPICH write it to the environment; 1 for a
// process that was started without mpirun.
int processes_started();

// Joins this process to the others. Throws where mini was built without MPI, since each process would
// then train by itself, and all would write to the same folder.
std::unique_ptr<Processes> join_processes();
// The same processes, each of which computes on a GPU of its own. Tensors on the GPUs go over NCCL
// (tools/mini_train/nccl.cpp). Throws where mini was built without NCCL.
std::unique_ptr<Processes> on_gpus(Processes& processes, Device gpu);

}  // namespace mini
