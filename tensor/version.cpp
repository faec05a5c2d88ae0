#include "tensor/version.h"

#include "tensor/isa.h"

namespace mini {

const char* version() { return MINI_VERSION; }

std::string version_text(const std::string& program) {
  return program + " " + version() + ", CPU kernels: " + cpu::describe_isa();
}

}  // namespace mini
