#include "tensor/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "tensor/error.h"

namespace mini::cpu {
namespace {

constexpr std::array all_isas{Isa::plain, Isa::avx2, Isa::avx512};

// cmake/MiniIsas.cmake defines the macros.
constexpr auto built_isas = std::to_array({
#ifdef MINI_HAS_PLAIN
    Isa::plain,
#endif
#ifdef MINI_HAS_AVX2
    Isa::avx2,
#endif
#ifdef MINI_HAS_AVX512
    Isa::avx512,
#endif
});

bool is_built(Isa isa) {
  return std::find(built_isas.begin(), built_isas.end(), isa) != built_isas.end();
}

// Asks for the extensions that cmake/MiniIsas.cmake lets the compiler use. The compiler's function also
// checks that the operating system saves their registers.
bool is_executed(Isa isa) {
  if (isa == Isa::plain) return true;
#ifdef __x86_64__
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (isa == Isa::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

std::string list(const std::vector<Isa>& isas) {
  std::string text;
  for (const Isa isa : isas) text += (text.empty() ? "" : ", ") + name_of(isa);
  return text;
}

Isa chosen_isa() {
  const std::vector<Isa>& available = available_isas();
  check(!available.empty(),
        "this processor executes none of the instruction sets in this build; build with "
        "-DMINI_ISAS=plain");
  const char* const wanted = std::getenv("MINI_ISA");
  if (wanted == nullptr || *wanted == '\0') return available.back();
  const auto* const isa = std::find_if(all_isas.begin(), all_isas.end(),
                                       [&](Isa each) { return name_of(each) == wanted; });
  const std::string remedy = "; choose from " + list(available);
  check(isa != all_isas.end(), "MINI_ISA=", wanted, ": there is no such instruction set", remedy);
  check(is_built(*isa), "MINI_ISA=", wanted, ": this build lacks it (-DMINI_ISAS)", remedy);
  check(is_executed(*isa), "MINI_ISA=", wanted, ": this processor does not execute it", remedy);
  return *isa;
}

}  // namespace

std::string name_of(Isa isa) {
  switch (isa) {
    case Isa::plain:
      return "plain";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  fail("name_of: unknown instruction set");
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> available = [] {
    std::vector<Isa> isas;
    std::copy_if(built_isas.begin(), built_isas.end(), std::back_inserter(isas), is_executed);
    return isas;
  }();
  return available;
}

Isa isa() {
  static const Isa chosen = chosen_isa();
  return chosen;
}

std::string describe_isa() { return name_of(isa()) + " of " + list(available_isas()); }

}  // namespace mini::cpu
