// cuDNN's convolutions, through the functions that take an algorithm. What it decides for a shape is
// kept in a plan: the fastest algorithm by its own heuristics among those that give the same bits in
// every run and are content with a limited workspace.
//
// Images are channels-last, filters [O,kh,kw,C]. A channel slice of a wider buffer is offered as it
// is first; where cuDNN refuses that, as a packed copy.
#include "ops/cuda/conv_cudnn.h"

#include <limits>
#include <map>
#include <memory>
#include <mutex>

#include "ops/cuda/runtime.h"
#include "tensor/view.h"

namespace mini::cuda::dnn {
namespace {

constexpr std::size_t workspace_limit = std::size_t{256} << 20;

template <class Handle, cudnnStatus_t (*create)(Handle*), cudnnStatus_t (*destroy)(Handle)>
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

bool is_refusal(cudnnStatus_t status) {
  return status / 1000 * 1000 == CUDNN_STATUS_NOT_SUPPORTED;  // the category of a full code
}

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::float32    ? CUDNN_DATA_FLOAT
         : dtype == DType::bfloat16 ? CUDNN_DATA_BFLOAT16
                                    : CUDNN_DATA_HALF;
}

// The same images in the memory that cuDNN expects; without a copy if `t` is so or a slice of such.
bool is_pixelwise(const Tensor& t) {
  const std::size_t size = element_size(t.dtype());
  const auto aligned = [&](std::int64_t step) {
    return static_cast<std::size_t>(step) * size % 16 == 0;
  };
  if (reinterpret_cast<std::uintptr_t>(t.raw_data()) % 16 != 0) return false;
  const Shape& s = t.strides();
  return t.is_channels_last() ||
         (s[1] == 1 && aligned(s[0]) && aligned(s[2]) && aligned(s[3]) && s[3] >= t.size(1) &&
          s[2] >= s[3] * t.size(3) && s[0] >= s[2] * t.size(2));
}
Tensor packed_like(const Tensor& t) {
  const std::int64_t c = t.size(1), h = t.size(2), w = t.size(3);
  return Tensor::empty_strided(t.shape(), {c * h * w, 1, w * c, c}, t.dtype(), t.device());
}
Shape image_strides(const Tensor& t) {
  const std::int64_t c = t.size(1), h = t.size(2), w = t.size(3);
  // The stride of an extent of 1 may be anything, but not to cuDNN.
  return t.is_channels_last() ? Shape{c * h * w, 1, w * c, c} : t.strides();
}

struct Plan {
  ImageDescriptor x, y;
  FilterDescriptor w;
  ConvolutionDescriptor convolution;
  bool usable = true;
  int algorithm = 0;
  std::size_t workspace = 0;  // bytes
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

// `list(room, &count, entries)` is one of cudnnGetConvolution..Algorithm_v7.
template <class Entry, class List>
void choose(Plan& plan, cudnnMathType_t math, const List& list) {
  std::array<Entry, 16> entries{};
  int count = 0;
  const cudnnStatus_t status = list(static_cast<int>(entries.size()), &count, entries.data());
  plan.usable = false;
  if (is_refusal(status)) return;
  check_status(status, "cudnnGetConvolution..Algorithm_v7");
  for (int i = 0; i < count; ++i) {
    const Entry& entry = entries[static_cast<std::size_t>(i)];
    if (entry.status != CUDNN_STATUS_SUCCESS || entry.determinism != CUDNN_DETERMINISTIC ||
        entry.memory > workspace_limit)
      continue;
    plan.usable = true;
    plan.algorithm = static_cast<int>(entry.algo);
    plan.workspace = entry.memory;
    // An entry may name tensor cores even where only FMA was asked for.
    check_status(cudnnSetConvolutionMathType(plan.convolution,
                                             math == CUDNN_FMA_MATH ? math : entry.mathType),
                 "cudnnSetConvolutionMathType");
    return;
  }
}

void choose(Direction direction, Plan& plan, cudnnMathType_t math) {
  switch (direction) {
    case Direction::forward:
      return choose<cudnnConvolutionFwdAlgoPerf_t>(plan, math, [&](auto... room) {
        return cudnnGetConvolutionForwardAlgorithm_v7(cudnn(), plan.x, plan.w, plan.convolution,
                                                      plan.y, room...);
      });
    case Direction::input_gradient:
      return choose<cudnnConvolutionBwdDataAlgoPerf_t>(plan, math, [&](auto... room) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn(), plan.w, plan.y,
                                                           plan.convolution, plan.x, room...);
      });
    case Direction::weight_gradient:
      return choose<cudnnConvolutionBwdFilterAlgoPerf_t>(plan, math, [&](auto... room) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn(), plan.x, plan.y,
                                                             plan.convolution, plan.w, room...);
      });
  }
}

// Everything that cuDNN's decision may depend on.
using Key = std::vector<std::int64_t>;

Key key_of(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
           const Conv2dParams& p, cudnnMathType_t math) {
  Key key{static_cast<std::int64_t>(direction), static_cast<std::int64_t>(x.dtype()), math,
          x.device().index, p.groups};
  for (const auto& pair : {p.stride, p.padding, p.dilation})
    key.insert(key.end(), pair.begin(), pair.end());
  for (const Shape& shape : {x.shape(), image_strides(x), w.shape(), y.shape(), image_strides(y)})
    key.insert(key.end(), shape.begin(), shape.end());
  return key;
}

Plan& plan_of(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& p) {
  // float32 in full unless TF32 is allowed; for 16 bits tensor cores lose nothing.
  const cudnnMathType_t math = x.dtype() != DType::float32 ? CUDNN_TENSOR_OP_MATH
                               : tf32_allowed()            ? CUDNN_DEFAULT_MATH
                                                           : CUDNN_FMA_MATH;
  // Never destroyed: at exit the driver may be gone before us.
  static std::mutex mutex;
  static auto& plans = *new std::map<Key, std::unique_ptr<Plan>>;
  const std::scoped_lock lock(mutex);
  std::unique_ptr<Plan>& plan = plans[key_of(direction, x, w, y, p, math)];
  if (plan == nullptr) {
    auto made = std::make_unique<Plan>();
    describe(*made, x, w, y, p, math);
    choose(direction, *made, math);
    plan = std::move(made);
  }
  return *plan;
}

// x and y pixelwise, w channels-last.
bool attempt(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
             const Conv2dParams& params) {
  Plan& plan = plan_of(direction, x, w, y, params);
  if (!plan.usable) return false;
  const auto bytes = static_cast<std::int64_t>(plan.workspace);
  const Tensor scratch = Tensor::empty({bytes}, DType::uint8, x.device());
  void* const room = bytes > 0 ? scratch.raw_data() : nullptr;
  const float one = 1, zero = 0;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  switch (direction) {
    case Direction::forward:
      status = cudnnConvolutionForward(cudnn(), &one, plan.x, x.raw_data(), plan.w, w.raw_data(),
                                       plan.convolution,
                                       static_cast<cudnnConvolutionFwdAlgo_t>(plan.algorithm), room,
                                       plan.workspace, &zero, plan.y, y.raw_data());
      break;
    case Direction::input_gradient:
      status = cudnnConvolutionBackwardData(
          cudnn(), &one, plan.w, w.raw_data(), plan.y, y.raw_data(), plan.convolution,
          static_cast<cudnnConvolutionBwdDataAlgo_t>(plan.algorithm), room, plan.workspace, &zero,
          plan.x, x.raw_data());
      break;
    case Direction::weight_gradient:
      status = cudnnConvolutionBackwardFilter(
          cudnn(), &one, plan.x, x.raw_data(), plan.y, y.raw_data(), plan.convolution,
          static_cast<cudnnConvolutionBwdFilterAlgo_t>(plan.algorithm), room, plan.workspace, &zero,
          plan.w, w.raw_data());
      break;
  }
  if (is_refusal(status)) {
    plan.usable = false;
    return false;
  }
  check_status(status, "cudnnConvolution..");
  return true;
}

}  // namespace

bool convolve(Direction direction, const Tensor& x, const Tensor& w, const Tensor& y,
              const Conv2dParams& params) {
  const DType dtype = x.dtype();
  if (dtype != DType::float32 && dtype != DType::bfloat16 && dtype != DType::float16) return false;
  for (const Tensor& t : {x, w, y}) {  // cuDNN counts in int
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
  const Tensor filter = makes_w ? packed_like(w) : ops::channels_last(w);
  const auto finish = [&](const Tensor& from, const Tensor& to) {
    if (!from.is_same(to)) ops::copy(from, to);
  };
  if (is_pixelwise(x) && is_pixelwise(y) && attempt(direction, x, filter, y, params)) {
    if (makes_w) finish(filter, w);
    return true;
  }
  const Tensor packed_x = packed(x, makes_x), packed_y = packed(y, makes_y);
  if (!attempt(direction, packed_x, filter, packed_y, params)) return false;
  if (makes_x) finish(packed_x, x);
  if (makes_y) finish(packed_y, y);
  if (makes_w) finish(filter, w);
  return true;
}

}  // namespace mini::cuda::dnn
