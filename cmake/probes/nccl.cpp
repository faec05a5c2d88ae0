// Builds where NCCL is complete (cmake/MiniMpi.cmake).
#include <nccl.h>

int main() {
  int version = 0;
  return ncclGetVersion(&version);
}
