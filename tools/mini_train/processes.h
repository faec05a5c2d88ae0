// The processes that mpirun started together, for mini_train. tools/mini_train/mpi.cpp holds them
// together; a build without MPI has no_mpi.cpp in its place.
#pragma once

#include <memory>

#include "train/collective.h"

namespace mini {

class Processes : public train::Collective {
 public:
  // The rank among those on the same machine.
  virtual int local_rank() const = 0;
  // Ends all of them at once, with exit code 1.
  virtual void abort() = 0;
};

// How many processes mpirun started, as Open MPI's and MPICH's say in the environment; 1 for one
// that was started without.
int processes_started();

// Joins them. Throws where mini was built without MPI: each would train by itself, and all would
// write to the same folder.
std::unique_ptr<Processes> join_processes();
// The same processes, each computing on a GPU of its own: what is there goes over NCCL
// (tools/mini_train/nccl.cpp). Throws where mini was built without it.
std::unique_ptr<Processes> on_gpus(Processes& processes, Device gpu);

}  // namespace mini
