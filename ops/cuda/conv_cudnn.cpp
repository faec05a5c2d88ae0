// Convolution by cuDNN, through its functions that take an algorithm. A plan holds what was decided
// for a shape: the algorithms that give the same bits in every run and need a limited workspace,
// the fastest first by cuDNN's heuristics.
//
// Images are channels-last, filters [O,kh,kw,C]. A channel slice of a wider buffer is first passed
// as it is; if cuDNN refuses it, a packed copy is passed. If the algorithm allows it, a bias is
// added in the same pass over y, otherwise in a second pass.
#include "ops/cuda/conv_cudnn.h"

#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>

#include "ops/cuda/runtime.h"
#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::cuda::dnn {
namespace {

constexpr std::size_t workspace_limit = std::size_t{256} << 20;

template <class Handle, const auto& create, const auto& destroy>
class Descriptor {
 public:
  Descriptor() { check_status(create(&handle_), "cudnnCreate..Descriptor"); }
  ~Descriptor() { destroy(handle_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator Handle() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};
using ImageDescriptor =
    Descriptor<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
using FilterDescriptor =
    Descriptor<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Descriptor<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
               cudnnDestroyConvolutionDescriptor>;
using ActivationDescriptor =
    Descriptor<cudnnActivationDescriptor_t, cudnnCreateActivationDescriptor,
               cudnnDestroyActivationDescriptor>;

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::float32    ? CUDNN_DATA_FLOAT
         : dtype == DType::bfloat16 ? CUDNN_DATA_BFLOAT16
                                    : CUDNN_DATA_HALF;
}

// cuDNN's kernels read 16 bytes at a time.
bool is_aligned(const Tensor& t) {
  return reinterpret_cast<std::uintptr_t>(t.raw_data()) % 16 == 0;
}
Tensor aligned(const Tensor& t) { return is_aligned(t) ? t : ops::clone(t); }

// Whether cuDNN can read `t` as an image: channels-last, or a channel slice of a channels-last
// tensor.
bool is_pixelwise(const Tensor& t) {
  const std::size_t size = element_size(t.dtype());
  const auto is_whole = [&](std::int64_t step) {
    return static_cast<std::size_t>(step) * size % 16 == 0;
  };
  if (!is_aligned(t)) return false;
  const Shape& s = t.strides();
  return t.is_channels_last() ||
         (s[1] == 1 && is_whole(s[0]) && is_whole(s[2]) && is_whole(s[3]) && s[3] >= t.size(1) &&
          s[2] >= s[3] * t.size(3) && s[0] >= s[2] * t.size(2));
}
Tensor packed_like(const Tensor& t) {
  const std::int64_t c = t.size(1), h = t.size(2), w = t.size(3);
  return Tensor::empty_strided(t.shape(), {c * h * w, 1, w * c, c}, t.dtype(), t.device());
}
Shape image_strides(const Tensor& t) {
  const std::int64_t c = t.size(1), h = t.size(2), w = t.size(3);
  // cuDNN checks the stride of an extent of 1, too, although it has no meaning.
  return t.is_channels_last() ? Shape{c * h * w, 1, w * c, c} : t.strides();
}

// One of cuDNN's algorithms, with the settings it needs.
struct Algorithm {
  int number = 0;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
  std::size_t workspace = 0;  // bytes
};

struct Plan {
  ImageDescriptor x, y, bias;
  FilterDescriptor w;
  ConvolutionDescriptor convolution;
  ActivationDescriptor identity;
  std::deque<Algorithm> algorithms;  // the usable ones, fastest first
  bool adds_bias = false;            // in the same pass over y
  bool packed = true;                // neither image is a slice

  // Whether the status means that cuDNN does not support the call, rather than that it failed.
  bool refused(cudnnStatus_t status) const {
    const int category = status / 1000 * 1000;
    return category == CUDNN_STATUS_NOT_SUPPORTED ||
           (!packed && category == CUDNN_STATUS_BAD_PARAM);
  }
};

void describe(const ImageDescriptor& descriptor, const Tensor& t) {
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  const Shape s = image_strides(t);
  check_status(cudnnSetTensor4dDescriptorEx(descriptor, data_type(t.dtype()), number(t.size(0)),
                                            number(t.size(1)), number(t.size(2)), number(t.size(3)),
                                            number(s[0]), number(s[1]), number(s[2]), number(s[3])),
               "cudnnSetTensor4dDescriptorEx");
}

void describe(const Plan& plan, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& p, cudnnMathType_t math) {
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  describe(plan.x, x);
  describe(plan.y, y);
  check_status(
      cudnnSetFilter4dDescriptor(plan.w, data_type(w.dtype()), CUDNN_TENSOR_NHWC, number(w.size(0)),
                                 number(w.size(1)), number(w.size(2)), number(w.size(3))),
      "cudnnSetFilter4dDescriptor");
  check_status(cudnnSetConvolution2dDescriptor(
                   plan.convolution, number(p.padding[0]), number(p.padding[1]),
                   number(p.stride[0]), number(p.stride[1]), number(p.dilation[0]),
                   number(p.dilation[1]), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
               "cudnnSetConvolution2dDescriptor");
  check_status(cudnnSetConvolutionGroupCount(plan.convolution, number(p.groups)),
               "cudnnSetConvolutionGroupCount");
  check_status(cudnnSetConvolutionMathType(plan.convolution, math), "cudnnSetConvolutionMathType");
}

void set_math(const Plan& plan, cudnnMathType_t math) {
  check_status(cudnnSetConvolutionMathType(plan.convolution, math), "cudnnSetConvolutionMathType");
}

// `list(capacity, &count, entries)` calls one of cudnnGetConvolution..Algorithm_v7,
// `workspace(algorithm, &bytes)` one of cudnnGetConvolution..WorkspaceSize.
template <class Entry, class List, class Workspace>
void choose(Plan& plan, cudnnMathType_t math, const List& list, const Workspace& workspace) {
  std::array<Entry, 16> entries{};
  int count = 0;
  const cudnnStatus_t status = list(static_cast<int>(entries.size()), &count, entries.data());
  if (plan.refused(status)) return;
  check_status(status, "cudnnGetConvolution..Algorithm_v7");
  for (int i = 0; i < count; ++i) {
    const Entry& entry = entries[static_cast<std::size_t>(i)];
    if (entry.status != CUDNN_STATUS_SUCCESS || entry.determinism != CUDNN_DETERMINISTIC) continue;
    // An entry may name tensor cores although only FMA is allowed; its workspace then has another
    // size, so we ask for it again with our setting.
    Algorithm algorithm{static_cast<int>(entry.algo),
                        math == CUDNN_FMA_MATH ? math : entry.mathType};
    set_math(plan, algorithm.math);
    if (workspace(entry.algo, &algorithm.workspace) == CUDNN_STATUS_SUCCESS &&
        algorithm.workspace <= workspace_limit)
      plan.algorithms.push_back(algorithm);
  }
}

void choose(Direction direction, Plan& plan, cudnnMathType_t math) {
  const auto &x = plan.x, &y = plan.y;
  const auto& w = plan.w;
  const ConvolutionDescriptor& convolution = plan.convolution;
  switch (direction) {
    case Direction::forward:
      return choose<cudnnConvolutionFwdAlgoPerf_t>(
          plan, math,
          [&](auto... room) {
            return cudnnGetConvolutionForwardAlgorithm_v7(cudnn(), x, w, convolution, y, room...);
          },
          [&](auto... size) {
            return cudnnGetConvolutionForwardWorkspaceSize(cudnn(), x, w, convolution, y, size...);
          });
    case Direction::input_gradient:
      return choose<cudnnConvolutionBwdDataAlgoPerf_t>(
          plan, math,
          [&](auto... room) {
            return cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn(), w, y, convolution, x,
                                                               room...);
          },
          [&](auto... size) {
            return cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn(), w, y, convolution, x,
                                                                size...);
          });
    case Direction::weight_gradient:
      return choose<cudnnConvolutionBwdFilterAlgoPerf_t>(
          plan, math,
          [&](auto... room) {
            return cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn(), x, y, convolution, w,
                                                                 room...);
          },
          [&](auto... size) {
            return cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn(), x, y, convolution, w,
                                                                  size...);
          });
  }
}

// Lets the plan add a bias in the same pass. Without an activation function, one algorithm only can
// do this (cudnnConvolutionBiasActivationForward in NVIDIA's reference); `run` checks for it.
void describe_bias(Plan& plan, const Tensor& bias) {
  const std::int64_t o = bias.numel();
  describe(plan.bias, bias.as_strided({1, o, 1, 1}, {o, 1, o, o}, bias.offset()));
  check_status(cudnnSetActivationDescriptor(plan.identity, CUDNN_ACTIVATION_IDENTITY,
                                            CUDNN_NOT_PROPAGATE_NAN, 0),
               "cudnnSetActivationDescriptor");
  plan.adds_bias = true;
}

// Everything that cuDNN's choice may depend on.
using Key = std::vector<std::int64_t>;

Key key_of(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
           const Conv2dParams& p, const Tensor& bias, cudnnMathType_t math) {
  Key key{static_cast<std::int64_t>(direction),
          static_cast<std::int64_t>(x.dtype()),
          math,
          x.device().index,
          p.groups,
          bias.defined()};
  for (const auto& pair : {p.stride, p.padding, p.dilation})
    key.insert(key.end(), pair.begin(), pair.end());
  for (const Shape& shape : {x.shape(), image_strides(x), w.shape(), y.shape(), image_strides(y)})
    key.insert(key.end(), shape.begin(), shape.end());
  return key;
}

Plan& plan_of(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& p, const Tensor& bias) {
  // float32 is multiplied in full precision unless TF32 is allowed. Products of 16-bit types are
  // exact on tensor cores.
  const cudnnMathType_t math = x.dtype() != DType::float32 ? CUDNN_TENSOR_OP_MATH
                               : tf32_allowed()            ? CUDNN_DEFAULT_MATH
                                                           : CUDNN_FMA_MATH;
  // Never destroyed: at exit, the driver may be unloaded before our statics.
  static std::mutex mutex;
  static auto& plans = *new std::map<Key, std::unique_ptr<Plan>>;
  const std::scoped_lock lock(mutex);
  std::unique_ptr<Plan>& plan = plans[key_of(direction, x, w, y, p, bias, math)];
  if (plan == nullptr) {
    auto made = std::make_unique<Plan>();
    made->packed = x.is_channels_last() && y.is_channels_last();
    describe(*made, x, w, y, p, math);
    choose(direction, *made, math);
    if (bias.defined()) describe_bias(*made, bias);
    plan = std::move(made);
  }
  return *plan;
}

cudnnStatus_t run(Direction direction, Plan& plan, const Algorithm& algorithm, const Tensor& x,
                  const Tensor& w, const Tensor& y, const Tensor& bias) {
  const auto bytes = static_cast<std::int64_t>(algorithm.workspace);
  const Tensor scratch = Tensor::empty({bytes}, DType::uint8, x.device());
  void* const room = bytes > 0 ? scratch.raw_data() : nullptr;
  const float one = 1, zero = 0;
  set_math(plan, algorithm.math);
  switch (direction) {
    case Direction::forward: {
      const auto number = static_cast<cudnnConvolutionFwdAlgo_t>(algorithm.number);
      if (plan.adds_bias && number == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
        const cudnnStatus_t status = cudnnConvolutionBiasActivationForward(
            cudnn(), &one, plan.x, x.raw_data(), plan.w, w.raw_data(), plan.convolution, number,
            room, algorithm.workspace, &zero, plan.y, y.raw_data(), plan.bias, bias.raw_data(),
            plan.identity, plan.y, y.raw_data());
        if (!plan.refused(status)) return status;
      }
      plan.adds_bias = false;
      return cudnnConvolutionForward(cudnn(), &one, plan.x, x.raw_data(), plan.w, w.raw_data(),
                                     plan.convolution, number, room, algorithm.workspace, &zero,
                                     plan.y, y.raw_data());
    }
    case Direction::input_gradient:
      return cudnnConvolutionBackwardData(
          cudnn(), &one, plan.w, w.raw_data(), plan.y, y.raw_data(), plan.convolution,
          static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm.number), room, algorithm.workspace,
          &zero, plan.x, x.raw_data());
    case Direction::weight_gradient:
      break;
  }
  return cudnnConvolutionBackwardFilter(
      cudnn(), &one, plan.x, x.raw_data(), plan.y, y.raw_data(), plan.convolution,
      static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm.number), room, algorithm.workspace,
      &zero, plan.w, w.raw_data());
}

// x and y must be pixelwise, w channels-last, bias contiguous, and every address a multiple of 16.
bool attempt(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
             const Conv2dParams& params, const Tensor& bias) {
  Plan& plan = plan_of(direction, x, w, y, params, bias);
  while (!plan.algorithms.empty()) {
    const cudnnStatus_t status = run(direction, plan, plan.algorithms.front(), x, w, y, bias);
    if (plan.refused(status)) {  // for good, so that every run gives the same bits
      plan.algorithms.pop_front();
      continue;
    }
    check_status(status, "cudnnConvolution..");
    if (bias.defined() && !plan.adds_bias)
      binary(Binary::add, y, bias.as_strided(y.shape(), {0, 1, 0, 0}, bias.offset()), y);
    return true;
  }
  return false;
}

}  // namespace

bool convolve(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& params, const Tensor& bias) {
  const DType dtype = x.dtype();
  if (dtype != DType::float32 && dtype != DType::bfloat16 && dtype != DType::float16) return false;
  for (const Tensor& t : {x, w, y}) {  // cuDNN's offsets are int
    std::int64_t extent = 1;
    for (int d = 0; d < 4; ++d)
      extent += (t.size(d) - 1) * std::max<std::int64_t>(t.strides()[d], 1);
    if (extent > std::numeric_limits<int>::max()) return false;
  }
  const bool makes_x = direction == Direction::input_gradient;
  const bool makes_w = direction == Direction::weight_gradient;
  const bool makes_y = direction == Direction::forward;
  const auto packed = [](const Tensor& t, bool is_result) {
    if (t.is_channels_last() && is_pixelwise(t)) return t;
    const Tensor copy = packed_like(t);
    if (!is_result) ops::copy(t, copy);
    return copy;
  };
  const Tensor filter = makes_w ? packed_like(w) : aligned(ops::channels_last(w));
  const Tensor shift = bias.defined() ? aligned(bias) : bias;
  const auto finish = [&](const Tensor& from, const Tensor& to) {
    if (!from.is_same(to)) ops::copy(from, to);
  };
  if (is_pixelwise(x) && is_pixelwise(y) && attempt(direction, x, filter, y, params, shift)) {
    if (makes_w) finish(filter, w);
    return true;
  }
  const Tensor packed_x = packed(x, makes_x), packed_y = packed(y, makes_y);
  if (!attempt(direction, packed_x, filter, packed_y, params, shift)) return false;
  if (makes_x) finish(packed_x, x);
  if (makes_y) finish(packed_y, y);
  if (makes_w) finish(filter, w);
  return true;
}

}  // namespace mini::cuda::dnn
