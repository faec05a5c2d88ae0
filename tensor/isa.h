// The instruction sets that the CPU's kernels are compiled for, and the choice between them.
//
// What lies in tensor/cpu/ and ops/cpu/ is compiled once for each set, in a namespace named after it
// (MINI_ISA in these sources): mini::cpu::plain, mini::cpu::avx2, mini::cpu::avx512. Everything else
// is compiled once, for any processor of the kind, and calls them through MINI_DISPATCH
// (tensor/backend.h). How the copies are kept apart: cmake/MiniIsas.cmake.
#pragma once

#include <string>
#include <vector>

namespace mini::cpu {

// Each executes what the one before does. plain: what every processor of the kind has.
enum class Isa { plain, avx2, avx512 };

std::string name_of(Isa isa);

// Those that this build has and this processor executes, in that order.
const std::vector<Isa>& available_isas();

// The one in use: what the environment variable MINI_ISA names, or the last that is available.
// Decided at the first call; throws where MINI_ISA names none that is available.
Isa isa();

// "avx512 of plain, avx2, avx512", for logs and --version.
std::string describe_isa();

}  // namespace mini::cpu
