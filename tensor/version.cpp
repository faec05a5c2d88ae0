#include "tensor/version.h"

namespace mini {

const char* version() { return MINI_VERSION; }

}  // namespace mini
