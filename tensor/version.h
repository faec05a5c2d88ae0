// The version of mini.
#pragma once

namespace mini {

const char* version();  // "0.1.0", of CMakeLists.txt

}  // namespace mini
