// cuDNN for the emulated device: plain loops. It refuses what the real library may refuse (channel
// slices of wider images), and it ranks algorithms first that mini must not use.
#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "cudnn.h"
#include "round.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};
struct cudnnTensorStruct {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<std::int64_t, 4> size{}, stride{};  // n, c, h, w
};
struct cudnnFilterStruct {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  cudnnTensorFormat_t format = CUDNN_TENSOR_NCHW;
  std::array<std::int64_t, 4> size{};  // k, c, h, w
};
struct cudnnConvolutionStruct {
  std::array<std::int64_t, 2> padding{}, stride{1, 1}, dilation{1, 1};
  std::int64_t groups = 1;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};
struct cudnnActivationStruct {
  cudnnActivationMode_t mode = CUDNN_ACTIVATION_RELU;
  cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN;
};

namespace {

// The workspace of an algorithm depends on whether it may use tensor cores.
std::size_t workspace_of(const cudnnConvolutionStruct& convolution, int algorithm) {
  if (algorithm == 3) return std::size_t{1} << 40;
  return convolution.math == CUDNN_FMA_MATH ? 128 : 64;
}

// A copy of the descriptors, made when the work is queued.
struct Problem {
  cudnnTensorStruct x, y;
  cudnnFilterStruct w;
  cudnnConvolutionStruct convolution;
};

cudnnStatus_t consistent(const Problem& p) {
  const auto& c = p.convolution;
  if (p.x.type != p.y.type || p.x.type != p.w.type || p.x.size[0] != p.y.size[0] ||
      p.x.size[1] != p.w.size[1] * c.groups || p.y.size[1] != p.w.size[0] ||
      p.w.size[0] % c.groups != 0)
    return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
  for (std::size_t d = 0; d < 2; ++d)
    if (p.y.size[2 + d] !=
        (p.x.size[2 + d] + 2 * c.padding[d] - c.dilation[d] * (p.w.size[2 + d] - 1) - 1) /
                c.stride[d] +
            1)
      return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
  if (p.w.format != CUDNN_TENSOR_NHWC) return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
  for (const cudnnTensorStruct& t : {p.x, p.y})
    if (t.stride != std::array{t.size[1] * t.size[2] * t.size[3], std::int64_t{1},
                               t.size[1] * t.size[3], t.size[1]})
      return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
  // Grouped convolutions are refused, so that tests reach mini's own kernels.
  return c.groups == 1 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

// Calls f(x index, w index, y index) for every product in the definition.
template <class F>
void each_product(const Problem& p, const F& f) {
  const auto& c = p.convolution;
  for (std::int64_t n = 0; n < p.y.size[0]; ++n)
    for (std::int64_t i = 0; i < p.y.size[2]; ++i)
      for (std::int64_t j = 0; j < p.y.size[3]; ++j)
        for (std::int64_t a = 0; a < p.w.size[2]; ++a)
          for (std::int64_t b = 0; b < p.w.size[3]; ++b) {
            const std::int64_t row = i * c.stride[0] + a * c.dilation[0] - c.padding[0];
            const std::int64_t column = j * c.stride[1] + b * c.dilation[1] - c.padding[1];
            if (row < 0 || row >= p.x.size[2] || column < 0 || column >= p.x.size[3]) continue;
            for (std::int64_t o = 0; o < p.w.size[0]; ++o)
              for (std::int64_t k = 0; k < p.w.size[1]; ++k)
                f(n * p.x.stride[0] + k + row * p.x.stride[2] + column * p.x.stride[3],
                  ((o * p.w.size[2] + a) * p.w.size[3] + b) * p.w.size[1] + k,
                  n * p.y.stride[0] + o + i * p.y.stride[2] + j * p.y.stride[3]);
          }
}

std::size_t count(const std::array<std::int64_t, 4>& size) {
  return static_cast<std::size_t>(size[0] * size[1] * size[2] * size[3]);
}

enum class Result { x, w, y };

// `bias` is added to y, or null.
template <class T>
void compute(const Problem& p, Result result, void* x_data, void* w_data, void* y_data,
             const void* bias) {
  T *const x = static_cast<T*>(x_data), *const w = static_cast<T*>(w_data),
           *const y = static_cast<T*>(y_data);
  const auto operand = [&p](T value) {
    const auto wide = static_cast<float>(value);
    const bool rounds = std::is_same_v<T, float> && p.convolution.math != CUDNN_FMA_MATH;
    return rounds ? mini::emulator::round_to_tf32(wide) : wide;
  };
  T* const out = result == Result::x ? x : result == Result::w ? w : y;
  std::vector<float> sums(result == Result::x   ? count(p.x.size)
                          : result == Result::w ? count(p.w.size)
                                                : count(p.y.size));
  each_product(p, [&](std::int64_t at_x, std::int64_t at_w, std::int64_t at_y) {
    if (result == Result::x)
      sums[static_cast<std::size_t>(at_x)] += operand(w[at_w]) * operand(y[at_y]);
    else if (result == Result::w)
      sums[static_cast<std::size_t>(at_w)] += operand(x[at_x]) * operand(y[at_y]);
    else
      sums[static_cast<std::size_t>(at_y)] += operand(w[at_w]) * operand(x[at_x]);
  });
  if (bias != nullptr)
    for (std::size_t i = 0; i < sums.size(); ++i)  // y is packed channels-last
      sums[i] += static_cast<float>(
          static_cast<const T*>(bias)[i % static_cast<std::size_t>(p.y.size[1])]);
  std::transform(sums.begin(), sums.end(), out, [](float sum) { return T(sum); });
}

cudnnStatus_t run(cudnnHandle_t handle, const Problem& p, Result result, const void* alpha,
                  const void* beta, const void* x, const void* w, const void* y, int algorithm,
                  const void* workspace, std::size_t bytes, const void* bias = nullptr) {
  if (const cudnnStatus_t status = consistent(p); status != CUDNN_STATUS_SUCCESS) return status;
  if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0 ||
      algorithm != 1)
    return CUDNN_STATUS_NOT_SUPPORTED;
  if (bytes < workspace_of(p.convolution, algorithm) || workspace == nullptr)
    return CUDNN_STATUS_BAD_PARAM;
  for (const void* data : {x, w, y, bias})
    if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return CUDNN_STATUS_BAD_PARAM;
  const auto compute_as = p.x.type == CUDNN_DATA_FLOAT  ? compute<float>
                          : p.x.type == CUDNN_DATA_HALF ? compute<mini::Half>
                                                        : compute<mini::BFloat16>;
  const cudaError_t error = mini::emulator::enqueue(handle->stream, [=] {
    compute_as(p, result, const_cast<void*>(x), const_cast<void*>(w), const_cast<void*>(y), bias);
  });
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

// The fastest algorithm is not deterministic, the second needs too much memory, and the third is
// refused when it runs. The memory in an entry is that for tensor cores, whatever was requested.
template <class Entry>
cudnnStatus_t list(const Problem& p, int room, int* count, Entry* entries) {
  *count = 0;
  if (const cudnnStatus_t status = consistent(p); status != CUDNN_STATUS_SUCCESS) return status;
  using Algorithm = decltype(Entry::algo);
  const auto entry = [&](int algorithm, float time, cudnnDeterminism_t determinism) {
    return Entry{static_cast<Algorithm>(algorithm),
                 CUDNN_STATUS_SUCCESS,
                 time,
                 workspace_of({.math = CUDNN_DEFAULT_MATH}, algorithm),
                 determinism,
                 CUDNN_DEFAULT_MATH,
                 {}};
  };
  const std::array<Entry, 4> all{entry(0, 1, CUDNN_NON_DETERMINISTIC),
                                 entry(3, 2, CUDNN_DETERMINISTIC), entry(2, 3, CUDNN_DETERMINISTIC),
                                 entry(1, 4, CUDNN_DETERMINISTIC)};
  *count = std::min(room, static_cast<int>(all.size()));
  std::copy_n(all.begin(), *count, entries);
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH:
      return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case CUDNN_STATUS_NOT_SUPPORTED_LAYOUT:
      return "CUDNN_STATUS_NOT_SUPPORTED_LAYOUT";
    case CUDNN_STATUS_NOT_SUPPORTED:
      break;
  }
  return "CUDNN_STATUS_NOT_SUPPORTED";
}

void cudnnGetLastErrorString(char* message, std::size_t room) {
  std::strncpy(message, "emulated", room);
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  *descriptor = new cudnnTensorStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type,
                                           int n, int c, int h, int w, int n_stride, int c_stride,
                                           int h_stride, int w_stride) {
  if (std::min({n, c, h, w, n_stride, c_stride, h_stride, w_stride}) <= 0)
    return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {type, {n, c, h, w}, {n_stride, c_stride, h_stride, w_stride}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
  *descriptor = new cudnnFilterStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  if (std::min({k, c, h, w}) <= 0) return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {type, format, {k, c, h, w}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
  *descriptor = new cudnnConvolutionStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h,
                                              int pad_w, int u, int v, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
  if (std::min({u, v, dilation_h, dilation_w}) <= 0 || std::min(pad_h, pad_w) < 0)
    return CUDNN_STATUS_BAD_PARAM;
  if (mode != CUDNN_CROSS_CORRELATION || compute != CUDNN_DATA_FLOAT)
    return CUDNN_STATUS_NOT_SUPPORTED;
  descriptor->padding = {pad_h, pad_w};
  descriptor->stride = {u, v};
  descriptor->dilation = {dilation_h, dilation_w};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  if (groups <= 0) return CUDNN_STATUS_BAD_PARAM;
  descriptor->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor,
                                          cudnnMathType_t math) {
  descriptor->math = math;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* descriptor) {
  *descriptor = new cudnnActivationStruct;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t descriptor,
                                           cudnnActivationMode_t mode, cudnnNanPropagation_t nan,
                                           double) {
  *descriptor = {mode, nan};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w,
                                                     cudnnConvolutionDescriptor_t convolution,
                                                     cudnnTensorDescriptor_t y, int room,
                                                     int* count,
                                                     cudnnConvolutionFwdAlgoPerf_t* entries) {
  return list(Problem{*x, *y, *w, *convolution}, room, count, entries);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t, cudnnFilterDescriptor_t w, cudnnTensorDescriptor_t dy,
    cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t dx, int room, int* count,
    cudnnConvolutionBwdDataAlgoPerf_t* entries) {
  return list(Problem{*dx, *dy, *w, *convolution}, room, count, entries);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t dy,
    cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t dw, int room, int* count,
    cudnnConvolutionBwdFilterAlgoPerf_t* entries) {
  return list(Problem{*x, *dy, *dw, *convolution}, room, count, entries);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t,
                                                      cudnnFilterDescriptor_t,
                                                      cudnnConvolutionDescriptor_t convolution,
                                                      cudnnTensorDescriptor_t,
                                                      cudnnConvolutionFwdAlgo_t algorithm,
                                                      std::size_t* bytes) {
  *bytes = workspace_of(*convolution, algorithm);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t, cudnnFilterDescriptor_t,
                                                           cudnnTensorDescriptor_t,
                                                           cudnnConvolutionDescriptor_t convolution,
                                                           cudnnTensorDescriptor_t,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm,
                                                           std::size_t* bytes) {
  *bytes = workspace_of(*convolution, algorithm);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t, cudnnTensorDescriptor_t, cudnnTensorDescriptor_t,
    cudnnConvolutionDescriptor_t convolution, cudnnFilterDescriptor_t,
    cudnnConvolutionBwdFilterAlgo_t algorithm, std::size_t* bytes) {
  *bytes = workspace_of(*convolution, algorithm);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      cudnnTensorDescriptor_t x_is, const void* x,
                                      cudnnFilterDescriptor_t w_is, const void* w,
                                      cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      std::size_t bytes, const void* beta,
                                      cudnnTensorDescriptor_t y_is, void* y) {
  return run(handle, {*x_is, *y_is, *w_is, *convolution}, Result::y, alpha, beta, x, w, y,
             algorithm, workspace, bytes);
}
// Kernels of an even width are refused, so that tests reach the separate pass for a bias.
cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void* alpha1, cudnnTensorDescriptor_t x_is, const void* x,
    cudnnFilterDescriptor_t w_is, const void* w, cudnnConvolutionDescriptor_t convolution,
    cudnnConvolutionFwdAlgo_t algorithm, void* workspace, std::size_t bytes, const void* alpha2,
    cudnnTensorDescriptor_t, const void*, cudnnTensorDescriptor_t bias_is, const void* bias,
    cudnnActivationDescriptor_t activation, cudnnTensorDescriptor_t y_is, void* y) {
  if (bias_is->type != y_is->type ||
      bias_is->size != std::array<std::int64_t, 4>{1, y_is->size[1], 1, 1})
    return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
  if (activation->mode != CUDNN_ACTIVATION_IDENTITY || activation->nan != CUDNN_NOT_PROPAGATE_NAN ||
      w_is->size[3] % 2 == 0)
    return CUDNN_STATUS_NOT_SUPPORTED;
  return run(handle, {*x_is, *y_is, *w_is, *convolution}, Result::y, alpha1, alpha2, x, w, y,
             algorithm, workspace, bytes, bias);
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t w_is, const void* w,
                                           cudnnTensorDescriptor_t dy_is, const void* dy,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           std::size_t bytes, const void* beta,
                                           cudnnTensorDescriptor_t dx_is, void* dx) {
  return run(handle, {*dx_is, *dy_is, *w_is, *convolution}, Result::x, alpha, beta, dx, w, dy,
             algorithm, workspace, bytes);
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             cudnnTensorDescriptor_t x_is, const void* x,
                                             cudnnTensorDescriptor_t dy_is, const void* dy,
                                             cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                             void* workspace, std::size_t bytes, const void* beta,
                                             cudnnFilterDescriptor_t dw_is, void* dw) {
  return run(handle, {*x_is, *dy_is, *dw_is, *convolution}, Result::w, alpha, beta, x, dw, dy,
             algorithm, workspace, bytes);
}
