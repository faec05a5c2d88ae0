// Layers with parameters, under the names PyTorch gives them.
#pragma once

#include "nn/module.h"
#include "ops/params.h"

namespace mini::nn {

// x [N,in,H,W] -> [N,out,H',W']. weight [out,in/groups,kernel,kernel] and bias [out] are zero at
// first.
class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, Conv2dParams params = {});
  Tensor operator()(const Tensor& x) const;

  Tensor weight, bias;

 private:
  Conv2dParams params_;
};

// x [..,in] -> [..,out]. weight [out,in] and bias [out] are zero at first.
class Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out);
  Tensor operator()(const Tensor& x) const;

  Tensor weight, bias;
};

}  // namespace mini::nn
