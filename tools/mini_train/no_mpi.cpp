// What stands in for tools/mini_train/mpi.cpp in a build without MPI.
#include "tensor/error.h"
#include "tools/mini_train/processes.h"

namespace mini {

std::unique_ptr<Processes> join_processes() {
  fail("this is one of ", processes_started(),
       " processes that mpirun started, but mini was built without MPI, so each would train alone "
       "and all would write to the same folder; install libopenmpi-dev and build again with "
       "-DMINI_MPI=ON, or start mini_train without mpirun");
}

}  // namespace mini
