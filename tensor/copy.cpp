// copy and fill: the only two loops over values that tensor/ itself needs.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/strided.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

// To float32, towards an odd last bit where it does not fit: rounding that to 16 bits then gives
// what rounding the double at once would give.
float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto back = static_cast<double>(nearest);
  const bool odd = (std::bit_cast<std::uint32_t>(nearest) & 1u) != 0;
  if (back == value || odd || !std::isfinite(back)) return nearest;
  return std::nextafter(nearest, value > back ? INFINITY : -INFINITY);
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    if constexpr (std::is_same_v<From, float>)
      return To(value);
    else
      return To(round_to_odd(static_cast<double>(value)));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) return 0;
    using Limits = std::numeric_limits<To>;
    if (value <= static_cast<From>(Limits::min())) return Limits::min();
    if (value >= static_cast<From>(Limits::max())) return Limits::max();
    return static_cast<To>(value);
  } else {
    // Between the two integer types.
    using Limits = std::numeric_limits<To>;
    return static_cast<To>(std::clamp<std::int64_t>(
        value, Limits::min(),
        std::is_same_v<To, std::uint8_t> ? 255 : std::numeric_limits<std::int64_t>::max()));
  }
}

}  // namespace

void copy(const Tensor& from, const Tensor& to) {
  check(from.shape() == to.shape(), "copy: shapes ", from.shape(), " and ", to.shape(), " differ");
  check(from.device().is_cpu() && to.device().is_cpu(), "copy: this build has no CUDA backend");
  if (from.numel() == 0) return;
  const StridedLoop<2> loop(to.shape(), {to.strides(), from.strides()});
  visit(to.dtype(), [&](auto to_type) {
    visit(from.dtype(), [&](auto from_type) {
      using To = typename decltype(to_type)::type;
      using From = typename decltype(from_type)::type;
      To* const out = to.data<To>();
      const From* const in = from.data<From>();
      loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
        To* o = out + offset[0];
        const From* i = in + offset[1];
        if constexpr (std::is_same_v<To, From>) {
          if (step[0] == 1 && step[1] == 1) {
            std::copy_n(i, length, o);
            return;
          }
        }
        for (std::int64_t k = 0; k < length; ++k) o[k * step[0]] = convert<To>(i[k * step[1]]);
      });
    });
  });
}

void fill(const Tensor& x, double value) {
  check(x.device().is_cpu(), "fill: this build has no CUDA backend");
  const StridedLoop<1> loop(x.shape(), {x.strides()});
  visit(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    T* const data = x.data<T>();
    const T element = convert<T>(value);
    loop.run([&](const auto& offset, const auto& step, std::int64_t length) {
      T* o = data + offset[0];
      for (std::int64_t k = 0; k < length; ++k) o[k * step[0]] = element;
    });
  });
}

}  // namespace mini::ops
