// Layers with parameters, named as in PyTorch.
#pragma once

#include "nn/module.h"
#include "ops/params.h"

namespace mini::nn {

// weight [out, in/groups, k, k], bias [out]; left zero until someone initialises them.
class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Conv2dParams params = {});
  Tensor operator()(const Tensor& x) const;

  Tensor weight, bias;

 private:
  Conv2dParams params_;
};

// weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out);
  Tensor operator()(const Tensor& x) const;

  Tensor weight, bias;
};

}  // namespace mini::nn
