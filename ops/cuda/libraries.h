// NVIDIA's libraries, loaded when a GPU first needs them. They take hundreds of megabytes, which a
// program that computes on the CPU should neither map nor need to have installed.
//
// Every library function that mini calls is listed here. Each becomes an object in mini::cuda that
// hides the declaration in the library's header, so that calls look as NVIDIA documents them. A
// build for the emulated device links its functions and calls them directly.
#pragma once

#include <atomic>
#include <cublas_v2.h>
#include <cudnn.h>
#include <mutex>

namespace mini::cuda {

class Library {
 public:
  // `file` is the name passed to the dynamic loader. `found` is the path at compile time, tried
  // next; it may be empty.
  constexpr Library(const char* name, const char* file, const char* found)
      : name_(name), file_(file), found_(found) {}

  // The address of a function. Throws an Error that names the remedy if the library or the function
  // is missing.
  void* function(const char* function);

 private:
  const char *name_, *file_, *found_;
  std::mutex mutex_;
  void* handle_ = nullptr;  // never closed: other statics may still use it at exit
};

template <class Signature>
class Loaded;
template <class Result, class... Arguments>
class Loaded<Result(Arguments...)> {
 public:
  constexpr Loaded(Library& library, const char* name) : library_(library), name_(name) {}

  Result operator()(Arguments... arguments) const { return address()(arguments...); }
  auto address() const -> Result (*)(Arguments...) {
    void* found = address_.load(std::memory_order_acquire);
    if (found == nullptr) {
      found = library_.function(name_);
      address_.store(found, std::memory_order_release);
    }
    return reinterpret_cast<Result (*)(Arguments...)>(found);
  }

 private:
  Library& library_;
  const char* name_;
  mutable std::atomic<void*> address_ = nullptr;
};

// The parameter is expanded first, since some names are macros for others.
#define MINI_TEXT(text) #text
#define MINI_LOADED(library, function)                                                \
  inline constinit const ::mini::cuda::Loaded<decltype(::function)> function{library, \
                                                                             MINI_TEXT(function)};

#define MINI_CUBLAS_FUNCTIONS(F)   \
  F(cublasCreate)                  \
  F(cublasGemmStridedBatchedEx_64) \
  F(cublasGetStatusString)         \
  F(cublasSetMathMode)             \
  F(cublasSetStream)               \
  F(cublasSetWorkspace)

#define MINI_CUDNN_FUNCTIONS(F)                     \
  F(cudnnConvolutionBackwardData)                   \
  F(cudnnConvolutionBackwardFilter)                 \
  F(cudnnConvolutionBiasActivationForward)          \
  F(cudnnConvolutionForward)                        \
  F(cudnnCreate)                                    \
  F(cudnnCreateActivationDescriptor)                \
  F(cudnnCreateConvolutionDescriptor)               \
  F(cudnnCreateFilterDescriptor)                    \
  F(cudnnCreateTensorDescriptor)                    \
  F(cudnnDestroyActivationDescriptor)               \
  F(cudnnDestroyConvolutionDescriptor)              \
  F(cudnnDestroyFilterDescriptor)                   \
  F(cudnnDestroyTensorDescriptor)                   \
  F(cudnnGetConvolutionBackwardDataAlgorithm_v7)    \
  F(cudnnGetConvolutionBackwardDataWorkspaceSize)   \
  F(cudnnGetConvolutionBackwardFilterAlgorithm_v7)  \
  F(cudnnGetConvolutionBackwardFilterWorkspaceSize) \
  F(cudnnGetConvolutionForwardAlgorithm_v7)         \
  F(cudnnGetConvolutionForwardWorkspaceSize)        \
  F(cudnnGetErrorString)                            \
  F(cudnnGetLastErrorString)                        \
  F(cudnnSetActivationDescriptor)                   \
  F(cudnnSetConvolution2dDescriptor)                \
  F(cudnnSetConvolutionGroupCount)                  \
  F(cudnnSetConvolutionMathType)                    \
  F(cudnnSetFilter4dDescriptor)                     \
  F(cudnnSetStream)                                 \
  F(cudnnSetTensor4dDescriptorEx)

#ifndef MINI_CUDA_EMULATED
extern Library cublas_library, cudnn_library;
#define MINI_LOADED_FROM_CUBLAS(function) MINI_LOADED(cublas_library, function)
#define MINI_LOADED_FROM_CUDNN(function) MINI_LOADED(cudnn_library, function)
MINI_CUBLAS_FUNCTIONS(MINI_LOADED_FROM_CUBLAS)
MINI_CUDNN_FUNCTIONS(MINI_LOADED_FROM_CUDNN)
#endif

}  // namespace mini::cuda
