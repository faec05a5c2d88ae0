// The instruction sets that the CPU's kernels are compiled for, and the choice between them.
//
// The files of ops/cpu/ are compiled once for each set, in a namespace named after it (MINI_ISA in
// these files): mini::cpu::plain, mini::cpu::avx2, mini::cpu::avx512. All other files are compiled
// once, for any processor, and call the kernels through MINI_DISPATCH (tensor/backend.h).
// cmake/MiniIsas.cmake keeps the copies apart.
#pragma once

#include <string>
#include <vector>

namespace mini::cpu {

// From the least to the most. plain: what every processor has.
enum class Isa { plain, avx2, avx512 };

std::string name_of(Isa isa);

// The sets that this build has and this processor executes, in that order.
const std::vector<Isa>& available_isas();

// The one in use: the set that the environment variable MINI_ISA names, else the last available one.
// The first call decides; it throws if the named set is not available.
Isa isa();

// "avx512 of plain, avx2, avx512", for logs and --version.
std::string describe_isa();

}  // namespace mini::cpu
