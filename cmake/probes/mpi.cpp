// Builds where MPI is complete (cmake/MiniMpi.cmake).
#include <mpi.h>

int main() { return MPI_Init(nullptr, nullptr); }
