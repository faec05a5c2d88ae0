// The shapes of results, with errors for operands that do not fit; the transpose of a sparse map.
#include "ops/params.h"

#include <ostream>

#include "tensor/error.h"

namespace mini {
namespace {

struct Pair {
  const std::array<std::int64_t, 2>& values;
};
std::ostream& operator<<(std::ostream& out, const Pair& pair) {
  return out << '(' << pair.values[0] << ',' << pair.values[1] << ')';
}

}  // namespace

Shape Conv2dParams::output_shape(const Shape& x, const Shape& w, const char* op) const {
  check(x.rank() == 4, op, ": input must be [N,C,H,W], got ", x);
  check(w.rank() == 4, op, ": weight must be [O,C/groups,kh,kw], got ", w);
  check(groups >= 1, op, ": groups must be at least 1, got ", groups);
  check(w[1] >= 1 && w[0] >= 1, op, ": needs channels, got none (x=", x, ", w=", w, ")");
  check(x[1] == w[1] * groups, op, ": input has ", x[1], " channels, weight expects ",
        w[1] * groups, " (x=", x, ", w=", w, ")");
  check(w[0] % groups == 0, op, ": ", w[0], " output channels do not split into ", groups,
        " groups (w=", w, ")");
  Shape y{x[0], w[0], 0, 0};
  for (int i = 0; i < 2; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    check(stride[axis] >= 1 && dilation[axis] >= 1 && padding[axis] >= 0 && w[2 + i] >= 1, op,
          ": needs stride and dilation >= 1, padding >= 0 and a kernel, got stride ", Pair{stride},
          ", dilation ", Pair{dilation}, ", padding ", Pair{padding}, ", w=", w);
    const std::int64_t padded = x[2 + i] + 2 * padding[axis];
    const std::int64_t reach = dilation[axis] * (w[2 + i] - 1) + 1;
    check(padded >= reach, op, ": the kernel reaches over ", reach,
          " pixels, the padded input has ", padded, " (x=", x, ", w=", w, ", padding ",
          Pair{padding}, ", dilation ", Pair{dilation}, "); pad more");
    y[2 + i] = (padded - reach) / stride[axis] + 1;
  }
  return y;
}

Shape Pool2dParams::output_shape(const Shape& x, const char* op) const {
  check(x.rank() == 4, op, ": input must be [N,C,H,W], got ", x);
  check(x[2] >= 1 && x[3] >= 1, op, ": the input has no pixels (x=", x, ")");
  Shape y = x;
  for (int i = 0; i < 2; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    check(kernel[axis] >= 1 && stride[axis] >= 1, op,
          ": kernel and stride must be at least 1, got ", Pair{kernel}, " and ", Pair{stride});
    // A window must not lie in the padding alone.
    check(padding[axis] >= 0 && 2 * padding[axis] <= kernel[axis], op, ": padding ", Pair{padding},
          " must be between 0 and half the kernel ", Pair{kernel});
    const std::int64_t padded = x[2 + i] + 2 * padding[axis];
    check(padded >= kernel[axis], op, ": the kernel ", Pair{kernel},
          " is larger than the padded input (x=", x, ", padding ", Pair{padding}, ")");
    y[2 + i] = (padded - kernel[axis]) / stride[axis] + 1;
  }
  return y;
}

Shape FirParams::output_shape(const Shape& x, const Shape& kernel) const {
  check(x.rank() == 4, "upfirdn2d: input must be [N,C,H,W], got ", x);
  check(kernel.rank() == 2 && kernel.numel() > 0, "upfirdn2d: the kernel must be [kh,kw], got ",
        kernel);
  check(up >= 1 && down >= 1, "upfirdn2d: up and down must be at least 1, got ", up, " and ", down);
  const std::array<std::int64_t, 2> margins{padding.top + padding.bottom,
                                            padding.left + padding.right};
  Shape y = x;
  for (int i = 0; i < 2; ++i) {
    const std::int64_t padded = x[2 + i] * up + margins[static_cast<std::size_t>(i)];
    check(padded >= kernel[i], "upfirdn2d: the kernel reaches over ", kernel[i],
          " pixels, the padded input has ", padded, " (x=", x, ", up ", up, "); pad more");
    y[2 + i] = (padded - kernel[i]) / down + 1;
  }
  return y;
}

FirParams FirParams::adjoint(const Shape& x, const Shape& kernel) const {
  const Shape y = output_shape(x, kernel);
  const auto after = [&](int i, std::int64_t before) {
    return x[2 + i] * up - y[2 + i] * down + before - up + 1;
  };
  return {.up = down,
          .down = up,
          .padding = {.left = kernel[1] - 1 - padding.left,
                      .right = after(1, padding.left),
                      .top = kernel[0] - 1 - padding.top,
                      .bottom = after(0, padding.top)}};
}

LinearMap LinearMap::transposed() const {
  LinearMap result;
  result.input_size = output_size();
  result.first.assign(static_cast<std::size_t>(input_size) + 1, 0);
  result.source.resize(source.size());
  result.weight.resize(weight.size());
  // A counting sort by source, which keeps the terms of each row in order.
  for (const std::int64_t column : source) ++result.first[static_cast<std::size_t>(column) + 1];
  for (std::size_t i = 1; i < result.first.size(); ++i) result.first[i] += result.first[i - 1];
  std::vector<std::int64_t> next(result.first.begin(), result.first.end() - 1);
  for (std::int64_t row = 0; row < output_size(); ++row) {
    const auto begin = static_cast<std::size_t>(first[static_cast<std::size_t>(row)]);
    const auto end = static_cast<std::size_t>(first[static_cast<std::size_t>(row) + 1]);
    for (std::size_t term = begin; term < end; ++term) {
      const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(source[term])]++);
      result.source[place] = row;
      result.weight[place] = weight[term];
    }
  }
  return result;
}

}  // namespace mini
