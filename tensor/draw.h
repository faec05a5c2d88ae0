// Random numbers of one Philox block, for host and device: 128 random bits become four floats or
// two doubles of a distribution.
#pragma once

#include <cmath>
#include <numbers>

#include "tensor/host_device.h"
#include "tensor/random.h"

namespace mini {

template <class T>
constexpr int numbers_per_block = sizeof(T) == 4 ? 4 : 2;

// Block number `position` of the stream with this seed.
MINI_HOST_DEVICE inline std::array<std::uint32_t, 4> block_at(std::uint64_t seed,
                                                              std::uint64_t position) {
  return philox4x32(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), 0, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

// A number in [0, 1) made of the 53 upper bits.
MINI_HOST_DEVICE inline double to_unit(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Turns uniform numbers in [0, 1) into numbers of the distribution, in place.
template <Distribution distribution, class T>
MINI_HOST_DEVICE inline void shape_block(T* u) {
  constexpr int count = numbers_per_block<T>;
  if constexpr (distribution == Distribution::normal) {
    // Box-Muller; 1-u lies in (0,1], so the logarithm is finite.
    for (int i = 0; i < count; i += 2) {
      const T radius = std::sqrt(T(-2) * std::log(T(1) - u[i]));
      const T angle = T(2) * std::numbers::pi_v<T> * u[i + 1];
      u[i] = radius * std::cos(angle);
      u[i + 1] = radius * std::sin(angle);
    }
  } else if constexpr (distribution == Distribution::exponential) {
    // u = 0 would give 0, and the Gumbel trick takes the logarithm of the result; so half a step of
    // the grid stands in for 0. Other u are not shifted: near 1, half a step would round to 1 and
    // give infinity.
    constexpr T half_step = sizeof(T) == 4 ? T(0x1p-25) : T(0x1p-54);
    for (int i = 0; i < count; ++i) u[i] = -std::log1p(-(u[i] < half_step ? half_step : u[i]));
  }
}

// Writes numbers_per_block<T> numbers.
template <Distribution distribution, class T>
MINI_HOST_DEVICE inline void draw_block(std::uint64_t seed, std::uint64_t position, T* numbers) {
  const std::array<std::uint32_t, 4> words = block_at(seed, position);
  if constexpr (sizeof(T) == 4) {
    for (int i = 0; i < 4; ++i)
      numbers[i] = static_cast<T>(words[static_cast<std::size_t>(i)] >> 8) * T(0x1p-24);
  } else {
    numbers[0] = to_unit(words[0], words[1]);
    numbers[1] = to_unit(words[2], words[3]);
  }
  shape_block<distribution>(numbers);
}

// Calls f.template operator()<distribution>().
template <class F>
decltype(auto) visit(Distribution distribution, F&& f) {
  switch (distribution) {
    case Distribution::uniform:
      return f.template operator()<Distribution::uniform>();
    case Distribution::normal:
      return f.template operator()<Distribution::normal>();
    case Distribution::exponential:
      return f.template operator()<Distribution::exponential>();
  }
  fail("random: unknown distribution");
}

}  // namespace mini
