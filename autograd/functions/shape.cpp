// Functions that move elements without arithmetic. They come in adjoint pairs (narrow and embed,
// expand and sum_to, concat and split), and each is the gradient of the other.
#include <algorithm>
#include <array>
#include <numeric>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/view.h"

namespace mini {

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record(
      "reshape", {x}, ops::reshape(x, shape),
      [from = x.shape()](const Backward&, const Tensor& dy) { return Tensors{reshape(dy, from)}; });
}

Tensor permute(const Tensor& x, std::span<const int> order) {
  Tensor y = ops::permute(x, order);
  std::vector<int> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    inverse[static_cast<std::size_t>(normalize_dim(order[i], x.rank(), "permute"))] =
        static_cast<int>(i);
  return record("permute", {x}, std::move(y),
                [inverse = std::move(inverse)](const Backward&, const Tensor& dy) {
                  return Tensors{permute(dy, inverse)};
                });
}

Tensor transpose(const Tensor& x, int dim0, int dim1) {
  return record("transpose", {x}, ops::transpose(x, dim0, dim1),
                [dim0, dim1](const Backward&, const Tensor& dy) {
                  return Tensors{transpose(dy, dim0, dim1)};
                });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  return record(
      "expand", {x}, ops::expand(x, shape),
      [from = x.shape()](const Backward&, const Tensor& dy) { return Tensors{sum_to(dy, from)}; });
}

Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length) {
  dim = normalize_dim(dim, x.rank(), "narrow");
  return record("narrow", {x}, ops::narrow(x, dim, start, length),
                [dim, start, size = x.shape()[dim]](const Backward&, const Tensor& dy) {
                  return Tensors{embed(dy, dim, start, size)};
                });
}

Tensor embed(const Tensor& x, int dim, std::int64_t start, std::int64_t size) {
  const int at = normalize_dim(dim, x.rank(), "embed");
  const std::int64_t length = x.shape()[at];
  check(start >= 0 && start + length <= size, "embed: [", start, ", ", start + length,
        ") is outside a dimension of ", size, " elements");
  Shape shape = x.shape();
  shape[at] = size;
  // Zeros are written only outside x.
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  ops::fill(ops::narrow(y, at, 0, start), 0);
  ops::fill(ops::narrow(y, at, start + length, size - start - length), 0);
  ops::copy(x, ops::narrow(y, at, start, length));
  return record("embed", {x}, std::move(y), [at, start, length](const Backward&, const Tensor& dy) {
    return Tensors{narrow(dy, at, start, length)};
  });
}

Tensor select(const Tensor& x, int dim, std::int64_t index) {
  const int at = normalize_dim(dim, x.rank(), "select");
  check(index >= 0 && index < x.shape()[at], "select: index ", index, " is outside dimension ", at,
        " of ", x.shape());
  return squeeze(narrow(x, at, index, 1), at);
}

Tensor squeeze(const Tensor& x, int dim) {
  const int at = normalize_dim(dim, x.rank(), "squeeze");
  return record("squeeze", {x}, ops::squeeze(x, at),
                [at](const Backward&, const Tensor& dy) { return Tensors{unsqueeze(dy, at)}; });
}

Tensor unsqueeze(const Tensor& x, int dim) {
  const int at = normalize_dim(dim, x.rank() + 1, "unsqueeze");
  return record("unsqueeze", {x}, ops::unsqueeze(x, at),
                [at](const Backward&, const Tensor& dy) { return Tensors{squeeze(dy, at)}; });
}

namespace {

constexpr std::array<int, 4> channels_first{0, 3, 1, 2};  // [N,H,W,C] -> [N,C,H,W]

// Of this shape, in the memory order that all parts have: channels-last, or else contiguous.
Tensor empty_in_order_of(const Tensors& parts, const Shape& shape) {
  const Tensor& first = parts.front();
  const bool pixelwise = std::all_of(parts.begin(), parts.end(), [](const Tensor& part) {
    return part.rank() == 4 && part.is_channels_last();
  });
  if (!pixelwise) return Tensor::empty(shape, first.dtype(), first.device());
  const Tensor pixels =
      Tensor::empty({shape[0], shape[2], shape[3], shape[1]}, first.dtype(), first.device());
  return ops::permute(pixels, channels_first);
}

}  // namespace

Tensor concat(const Tensors& parts, int dim) {
  check(!parts.empty(), "concat: needs at least one tensor");
  const Tensor& first = parts.front();
  const int at = normalize_dim(dim, first.rank(), "concat");
  std::vector<std::int64_t> sizes;
  for (const Tensor& part : parts) {
    Shape expected = first.shape();
    if (part.rank() == first.rank()) expected[at] = part.shape()[at];
    check(part.shape() == expected && part.dtype() == first.dtype(), "concat: ", part.shape(), " ",
          part.dtype(), " does not fit ", first.shape(), " ", first.dtype(), " along dimension ",
          at);
    sizes.push_back(part.shape()[at]);
  }
  Shape shape = first.shape();
  shape[at] = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  Tensor y = empty_in_order_of(parts, shape);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    ops::copy(parts[i], ops::narrow(y, at, start, sizes[i]));
    start += sizes[i];
  }
  return record("concat", parts, std::move(y),
                [at, sizes = std::move(sizes)](const Backward& context, const Tensor& dy) {
                  Tensors grads(sizes.size());
                  std::int64_t from = 0;
                  for (std::size_t i = 0; i < sizes.size(); ++i) {
                    if (context.needs(i)) grads[i] = narrow(dy, at, from, sizes[i]);
                    from += sizes[i];
                  }
                  return grads;
                });
}

Tensor stack(const Tensors& parts, int dim) {
  check(!parts.empty(), "stack: needs at least one tensor");
  const int at = normalize_dim(dim, parts.front().rank() + 1, "stack");
  Tensors rows;
  rows.reserve(parts.size());
  for (const Tensor& part : parts) {
    check(part.shape() == parts.front().shape(), "stack: shapes ", parts.front().shape(), " and ",
          part.shape(), " differ");
    rows.push_back(unsqueeze(part, at));
  }
  return concat(rows, at);
}

Tensors split(const Tensor& x, std::span<const std::int64_t> sizes, int dim) {
  const int at = normalize_dim(dim, x.rank(), "split");
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  check(total == x.shape()[at], "split: parts of ", total, " elements for dimension ", at, " of ",
        x.shape());
  Tensors values;
  std::vector<Shape> shapes;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    values.push_back(ops::narrow(x, at, start, size));
    shapes.push_back(values.back().shape());
    start += size;
  }
  // One node serves all parts: their gradients are concatenated once, instead of each being padded
  // with zeros and added to the others.
  return record_all("split", {x}, std::move(values),
                    [at, shapes = std::move(shapes)](const Backward&, const Tensors& dys) {
                      Tensors pieces = dys;
                      const Tensor& any = *std::find_if(
                          dys.begin(), dys.end(), [](const Tensor& dy) { return dy.defined(); });
                      for (std::size_t i = 0; i < pieces.size(); ++i)
                        if (!pieces[i].defined())
                          pieces[i] = Tensor::zeros(shapes[i], any.dtype(), any.device());
                      return Tensors{concat(pieces, at)};
                    });
}

Tensor flip(const Tensor& x, int dim) {
  const int at = normalize_dim(dim, x.rank(), "flip");
  const std::int64_t size = x.shape()[at];
  Tensor y = Tensor::empty_like(x);
  for (std::int64_t i = 0; i < size; ++i)
    ops::copy(ops::narrow(x, at, i, 1), ops::narrow(y, at, size - 1 - i, 1));
  return record("flip", {x}, std::move(y),
                [at](const Backward&, const Tensor& dy) { return Tensors{flip(dy, at)}; });
}

Tensor contiguous(const Tensor& x) {
  if (x.is_contiguous()) return x;
  return record("contiguous", {x}, ops::contiguous(x),
                [](const Backward&, const Tensor& dy) { return Tensors{dy}; });
}

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (!is_floating(dtype)) return ops::cast(x, dtype);
  return record(
      "cast", {x}, ops::cast(x, dtype),
      [from = x.dtype()](const Backward&, const Tensor& dy) { return Tensors{cast(dy, from)}; });
}

namespace {

// The next three functions make many pixels of one, or one of many. Their results are
// channels-last, as the convolutions around them read and write.

}  // namespace

Tensor pixel_shuffle(const Tensor& x, std::int64_t factor) {
  check(x.rank() == 4 && factor > 0 && x.size(1) % (factor * factor) == 0,
        "pixel_shuffle: ", x.shape(), " has no multiple of ", factor, "² channels");
  const std::int64_t n = x.size(0), c = x.size(1) / (factor * factor), h = x.size(2), w = x.size(3);
  constexpr std::array<int, 6> interleave{0, 4, 2, 5, 3, 1};  // [N,C,f,f,H,W] -> [N,H,f,W,f,C]
  const Tensor pixels = permute(reshape(x, {n, c, factor, factor, h, w}), interleave);
  return permute(reshape(pixels, {n, h * factor, w * factor, c}), channels_first);
}

Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor) {
  check(x.rank() == 4 && factor > 0 && x.size(2) % factor == 0 && x.size(3) % factor == 0,
        "pixel_unshuffle: sides of ", x.shape(), " are no multiples of ", factor);
  const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2) / factor, w = x.size(3) / factor;
  constexpr std::array<int, 6> gather{0, 2, 4, 1, 3, 5};  // [N,C,H,f,W,f] -> [N,H,W,C,f,f]
  const Tensor pixels = permute(reshape(x, {n, c, h, factor, w, factor}), gather);
  return permute(reshape(pixels, {n, h, w, c * factor * factor}), channels_first);
}

Tensor upsample_nearest(const Tensor& x, std::int64_t factor) {
  check(x.rank() == 4 && factor > 0, "upsample_nearest: needs [N,C,H,W] and a factor above 0, got ",
        x.shape(), " and ", factor);
  const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  constexpr std::array<int, 4> channels_last{0, 2, 3, 1};
  const Tensor pixels = reshape(permute(x, channels_last), {n, h, 1, w, 1, c});
  return permute(
      reshape(expand(pixels, {n, h, factor, w, factor, c}), {n, h * factor, w * factor, c}),
      channels_first);
}

}  // namespace mini
