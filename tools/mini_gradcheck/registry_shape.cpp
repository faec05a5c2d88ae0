// Functions that move elements. A reference says which element of x is at an index of the result.
// All are linear, so their gradients are their adjoints.
#include <numeric>

#include "autograd/functions.h"
#include "tools/mini_gradcheck/row.h"

namespace mini::suite {
namespace {

constexpr Traits linear{.linear = every_input};

Tensor zeros(const Shape& shape, DType dtype = DType::float32) {
  return Tensor::zeros(shape, dtype);
}

// A case with one input, where source(index in the result) is the index in x.
template <class Call, class Source, class... Parameters>
Case moved(const Input& x, const Shape& result, Call call, Source source,
           const Parameters&... parameters) {
  return make_case(
      {x}, [call](const Tensors& in) { return call(in[0]); },
      [result, source](const Arrays& in) {
        return generate(result, [&](const Shape& index) { return in[0][source(index)]; });
      },
      parameters...);
}

Shape without(const Shape& shape, int dim) {
  Shape result;
  for (int d = 0; d < shape.rank(); ++d)
    if (d != dim) result.push_back(shape[d]);
  return result;
}

Shape with(const Shape& shape, int dim, std::int64_t extent) {
  Shape result;
  for (int d = 0; d <= shape.rank(); ++d) {
    if (d == dim) result.push_back(extent);
    if (d < shape.rank()) result.push_back(shape[d]);
  }
  return result;
}

Case sample_reshape(Sampler& s) {
  const Shape from = s.shape(0, 4);
  // The same elements with two dimensions merged, or one split; sometimes one extent is inferred.
  Shape to = from;
  if (from.rank() > 1 && s.coin()) {
    to = without(from, 0);
    to[0] *= from[0];
  } else {
    to.push_back(1);
    if (s.coin() && from.numel() % 2 == 0) to = {2, from.numel() / 2};
  }
  Shape asked = to;
  if (s.coin()) asked[s.dim(to)] = -1;
  return make_case(
      {s.input(from)}, [asked](const Tensors& x) { return reshape(x[0], asked); },
      [to](const Arrays& x) {
        Array y = x[0];
        y.shape = to;
        return y;
      },
      "to ", asked);
}

Case sample_permute(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  std::vector<int> order(static_cast<std::size_t>(shape.rank()));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1],
              order[static_cast<std::size_t>(s.between(0, std::ssize(order) - 1)) % i]);
  Shape result;
  std::string text;
  for (const int dim : order) {
    result.push_back(shape[dim]);
    text += std::to_string(dim);
  }
  return moved(
      s.input(shape), result, [order](const Tensor& x) { return permute(x, order); },
      [order](const Shape& index) {
        Shape source = index;
        for (std::size_t d = 0; d < order.size(); ++d)
          source[order[d]] = index[static_cast<int>(d)];
        return source;
      },
      "order ", text);
}

Case sample_transpose(Sampler& s) {
  const Shape shape = s.shape(2, 4);
  const int a = s.dim(shape), b = s.dim(shape);
  Shape result = shape;
  std::swap(result[a], result[b]);
  return moved(
      s.input(shape), result, [=](const Tensor& x) { return transpose(x, a - x.rank(), b); },
      [=](Shape index) {
        std::swap(index[a], index[b]);
        return index;
      },
      a, ',', b);
}

Case sample_expand(Sampler& s) {
  const Shape result = s.shape(1, 4, 20), shape = s.broadcastable(result);
  return make_case(
      {s.input(shape)}, [=](const Tensors& x) { return expand(x[0], result); },
      [=](const Arrays& x) {
        return generate(result, [&](const Shape& index) { return x[0].broadcast(index); });
      },
      "to ", result);
}

Case sample_narrow(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  const int dim = s.dim(shape);
  const std::int64_t start = s.between(0, shape[dim] - 1),
                     length = s.between(1, shape[dim] - start);
  Shape result = shape;
  result[dim] = length;
  return moved(
      s.input(shape), result, [=](const Tensor& x) { return narrow(x, dim, start, length); },
      [=](Shape index) {
        index[dim] += start;
        return index;
      },
      "dim=", dim, " start=", start, " length=", length);
}

Case sample_select(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  const int dim = s.dim(shape);
  const std::int64_t at = s.between(0, shape[dim] - 1);
  return moved(
      s.input(shape), without(shape, dim), [=](const Tensor& x) { return select(x, dim, at); },
      [=](const Shape& index) { return with(index, dim, at); }, "dim=", dim, " index=", at);
}

Case sample_squeeze(Sampler& s) {
  const Shape result = s.shape(0, 3);
  const int dim = static_cast<int>(s.between(0, result.rank()));
  return moved(
      s.input(with(result, dim, 1)), result, [=](const Tensor& x) { return squeeze(x, dim); },
      [=](const Shape& index) { return with(index, dim, 0); }, "dim=", dim);
}

Case sample_unsqueeze(Sampler& s) {
  const Shape shape = s.shape(0, 3);
  const int dim = static_cast<int>(s.between(0, shape.rank()));
  return moved(
      s.input(shape), with(shape, dim, 1), [=](const Tensor& x) { return unsqueeze(x, dim); },
      [=](const Shape& index) { return without(index, dim); }, "dim=", dim);
}

Case sample_concat(Sampler& s) {
  const Shape shape = s.shape(1, 4, 12);
  const int dim = s.dim(shape);
  std::vector<Input> parts;
  const std::int64_t count = s.between(1, 3);
  for (std::int64_t i = 0; i < count; ++i) {
    Shape part = shape;
    if (i > 0) part[dim] = s.between(1, 3);
    parts.push_back(s.input(part));
  }
  return make_case(
      parts, [dim](const Tensors& x) { return concat(x, dim); },
      [=](const Arrays& x) {
        Shape total = shape;
        for (std::size_t i = 1; i < x.size(); ++i) total[dim] += x[i].shape[dim];
        return generate(total, [&](Shape index) {
          std::size_t part = 0;
          while (index[dim] >= x[part].shape[dim]) index[dim] -= x[part++].shape[dim];
          return x[part][index];
        });
      },
      "dim=", dim);
}

Case sample_stack(Sampler& s) {
  const Shape shape = s.shape(0, 3, 12);
  const int dim = static_cast<int>(s.between(0, shape.rank()));
  std::vector<Input> parts;
  const std::int64_t count = s.between(1, 3);
  for (std::int64_t i = 0; i < count; ++i) parts.push_back(s.input(shape));
  return make_case(
      parts, [dim](const Tensors& x) { return stack(x, dim); },
      [=](const Arrays& x) {
        return generate(with(shape, dim, std::ssize(x)), [&](const Shape& index) {
          return x[static_cast<std::size_t>(index[dim])][without(index, dim)];
        });
      },
      "dim=", dim);
}

Case sample_split(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  const int dim = s.dim(shape);
  const std::int64_t first = s.between(1, shape[dim]);
  std::vector<std::int64_t> sizes{first};
  if (first < shape[dim]) sizes.push_back(shape[dim] - first);
  return make_case(
      {s.input(shape)}, [=](const Tensors& x) { return split(x[0], sizes, dim); },
      [=](const Arrays& x) {
        Arrays parts;
        std::int64_t start = 0;
        for (const std::int64_t size : sizes) {
          Shape part = shape;
          part[dim] = size;
          parts.push_back(generate(part, [&](Shape index) {
            index[dim] += start;
            return x[0][index];
          }));
          start += size;
        }
        return parts;
      },
      "dim=", dim, " at ", first);
}

Case sample_embed(Sampler& s) {
  const Shape shape = s.shape(1, 4, 16);
  const int dim = s.dim(shape);
  const std::int64_t start = s.between(0, 2), length = shape[dim];
  Shape result = shape;
  result[dim] += start + s.between(0, 2);
  const std::int64_t size = result[dim];
  return make_case(
      {s.input(shape)}, [=](const Tensors& x) { return embed(x[0], dim, start, size); },
      [=](const Arrays& x) {
        return generate(result, [&](Shape index) {
          index[dim] -= start;
          return index[dim] >= 0 && index[dim] < length ? x[0][index] : 0;
        });
      },
      "dim=", dim, " start=", start, " size=", size);
}

Case sample_flip(Sampler& s) {
  const Shape shape = s.shape(1, 4);
  const int dim = s.dim(shape);
  return moved(
      s.input(shape), shape, [=](const Tensor& x) { return flip(x, dim); },
      [=](Shape index) {
        index[dim] = shape[dim] - 1 - index[dim];
        return index;
      },
      "dim=", dim);
}

Case sample_contiguous(Sampler& s) {
  const Shape shape = s.shape(0, 4);
  return moved(
      s.input(shape), shape,
      [](const Tensor& x) {
        Tensor y = contiguous(x);
        check(y.is_contiguous(), "contiguous: the result is not");
        return y;
      },
      [](const Shape& index) { return index; });
}

Case sample_cast(Sampler& s) {
  // To float32 and back. Values of the cases are exact in float32, but the differences of the
  // gradient check would not be, so they are taken from the identity.
  const Shape shape = s.shape(0, 4);
  Case c = moved(
      s.input(shape), shape,
      [](const Tensor& x) { return cast(cast(x, DType::float32), x.dtype()); },
      [](const Shape& index) { return index; });
  c.derivative_of = [](const Tensors& x) { return x; };
  return c;
}

// [N, C·f², H, W] and [N, C, fH, fW], with the map from an index of the second to an index of the
// first.
struct Shuffle {
  std::int64_t f;
  Shape packed, image;

  explicit Shuffle(Sampler& s) : f(s.round() == 0 ? 1 : s.between(1, 3)) {
    const Shape base{s.between(1, 2), s.between(1, 2), s.between(1, 3), s.between(1, 3)};
    const Shape small = s.round() == 0 ? Shape{1, 1, 1, 1} : base;
    packed = {small[0], small[1] * f * f, small[2], small[3]};
    image = {small[0], small[1], small[2] * f, small[3] * f};
  }
  Shape to_packed(const Shape& i) const {
    return {i[0], (i[1] * f + i[2] % f) * f + i[3] % f, i[2] / f, i[3] / f};
  }
  Shape to_image(const Shape& i) const {
    const std::int64_t within = i[1] % (f * f);
    return {i[0], i[1] / (f * f), i[2] * f + within / f, i[3] * f + within % f};
  }
};

Case sample_pixel_shuffle(Sampler& s) {
  const Shuffle map(s);
  return moved(
      s.input(map.packed), map.image, [f = map.f](const Tensor& x) { return pixel_shuffle(x, f); },
      [map](const Shape& index) { return map.to_packed(index); }, "factor=", map.f);
}

Case sample_pixel_unshuffle(Sampler& s) {
  const Shuffle map(s);
  return moved(
      s.input(map.image), map.packed,
      [f = map.f](const Tensor& x) { return pixel_unshuffle(x, f); },
      [map](const Shape& index) { return map.to_image(index); }, "factor=", map.f);
}

}  // namespace

std::vector<Row> shape_rows() {
  static const std::vector<int> twice{0, 0};
  static const std::vector<std::int64_t> sizes{1, 1};
  return {
      {"reshape",
       sample_reshape,
       linear,
       {{[] {
           reshape(zeros({2, 3}), {4, -1});
         },
         "reshape: 6 elements do not fit shape [4,-1]"}}},
      {"permute",
       sample_permute,
       linear,
       {{[] {
           permute(zeros({2, 3}), twice);
         },
         "permute: dimension 0 appears twice"}}},
      {"transpose",
       sample_transpose,
       linear,
       {{[] {
           transpose(zeros({2, 3}), 0, 2);
         },
         "transpose: dimension 2 is out of range"}}},
      {"expand",
       sample_expand,
       linear,
       {{[] {
           expand(zeros({2, 3}), {2, 4});
         },
         "expand: [2,3] does not expand to [2,4]"}}},
      {"narrow",
       sample_narrow,
       linear,
       {{[] {
           narrow(zeros({2, 3}), 1, 2, 2);
         },
         "narrow: [2, 4) is outside dimension 1"}}},
      {"select",
       sample_select,
       linear,
       {{[] {
           select(zeros({2, 3}), 2, 0);
         },
         "select: dimension 2 is out of range"},
        {[] {
           select(zeros({2, 3}), 1, 3);
         },
         "select: index 3 is outside dimension 1 of [2,3]"}}},
      {"squeeze",
       sample_squeeze,
       linear,
       {{[] {
           squeeze(zeros({2, 3}), 0);
         },
         "squeeze: dimension 0 of [2,3] is not 1"}}},
      {"unsqueeze",
       sample_unsqueeze,
       linear,
       {{[] {
           unsqueeze(zeros({2, 3}), 3);
         },
         "unsqueeze: dimension 3 is out of range"}}},
      {"concat",
       sample_concat,
       linear,
       {{[] { concat({}, 0); }, "concat: needs at least one tensor"},
        {[] {
           concat({zeros({2, 3}), zeros({3, 3})}, 1);
         },
         "concat: [3,3] float32 does not fit [2,3] float32 along dimension 1"},
        {[] {
           concat({zeros({2}), zeros({2}, DType::float64)}, 0);
         },
         "concat: [2] float64 does not fit [2] float32"}}},
      {"stack",
       sample_stack,
       linear,
       {{[] {
           stack({zeros({2}), zeros({3})}, 0);
         },
         "stack: shapes [2] and [3] differ"},
        {[] { stack({}, 0); }, "stack: needs at least one tensor"}}},
      {"split",
       sample_split,
       linear,
       {{[] {
           split(zeros({2, 3}), sizes, 1);
         },
         "split: parts of 2 elements for dimension 1"}}},
      {"embed",
       sample_embed,
       linear,
       {{[] { embed(zeros({3}), 0, 2, 4); }, "embed: [2, 5) is outside a dimension of 4"}}},
      {"flip",
       sample_flip,
       linear,
       {{[] { flip(zeros({3}), 1); }, "flip: dimension 1 is out of range"}}},
      {"contiguous", sample_contiguous, linear},
      {"cast", sample_cast, {.linear = every_input, .tolerance64 = 1e-7}},
      {"pixel_shuffle",
       sample_pixel_shuffle,
       linear,
       {{[] {
           pixel_shuffle(zeros({1, 6, 2, 2}), 2);
         },
         "pixel_shuffle: [1,6,2,2] has no multiple of 2² channels"}}},
      {"pixel_unshuffle",
       sample_pixel_unshuffle,
       linear,
       {{[] {
           pixel_unshuffle(zeros({1, 1, 2, 3}), 2);
         },
         "pixel_unshuffle: sides of [1,1,2,3] are no multiples of 2"}}},
  };
}

}  // namespace mini::suite
