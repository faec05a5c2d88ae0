#include "ops/precision.h"

#include <atomic>

namespace mini::ops {
namespace {

std::atomic<Products> chosen = Products::full;

}  // namespace

void set_products(Products products) { chosen = products; }
Products products() { return chosen; }

}  // namespace mini::ops
