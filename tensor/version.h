// The version of mini.
#pragma once

#include <string>

namespace mini {

const char* version();  // "0.1.0", of CMakeLists.txt

// What a program answers to --version: "mini_infer 0.1.0, CPU kernels: avx2 of plain, avx2".
std::string version_text(const std::string& program);

}  // namespace mini
