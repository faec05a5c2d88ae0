// Elementwise arithmetic on values, no gradients. Results keep the memory order of their first
// operand of full shape.
#pragma once

#include "ops/params.h"
#include "tensor/tensor.h"

namespace mini::ops {

Tensor unary(Unary op, const Tensor& x, double a = 0, double b = 0);
Tensor binary(Binary op, const Tensor& a, const Tensor& b);  // broadcasting, equal dtypes
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

inline Tensor add(const Tensor& a, const Tensor& b) { return binary(Binary::add, a, b); }
inline Tensor mul(const Tensor& a, const Tensor& b) { return binary(Binary::mul, a, b); }

// In place: y += scale·x, shapes equal.
void add_(const Tensor& y, const Tensor& x, double scale = 1);

// In place, many at once: sum += term for each pair, of equal shapes and dtypes, all on one device.
// The sums are dense; no tensor may be a sum and occur a second time.
void add_(std::span<const Addition> pairs);

const char* name_of(Unary op);
const char* name_of(Binary op);

}  // namespace mini::ops
