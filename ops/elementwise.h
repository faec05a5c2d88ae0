// Elementwise arithmetic without gradients. The result has the memory order of the first operand
// whose shape is that of the result.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

Tensor unary(Unary op, const Tensor& x, double a = 0, double b = 0);
Tensor binary(Binary op, const Tensor& a, const Tensor& b);  // broadcasts; equal dtypes
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

inline Tensor add(const Tensor& a, const Tensor& b) { return binary(Binary::add, a, b); }
inline Tensor mul(const Tensor& a, const Tensor& b) { return binary(Binary::mul, a, b); }

// y += scale·x in place, for equal shapes.
void add_(const Tensor& y, const Tensor& x, double scale = 1);

// sum += term in place, for many pairs at once. Each pair has equal shapes and dtypes; all tensors
// are on one device. Sums must be dense, and no sum may occur twice, be it as a sum or as a term.
void add_(std::span<const Addition> pairs);

const char* name_of(Unary op);
const char* name_of(Binary op);

}  // namespace mini::ops
