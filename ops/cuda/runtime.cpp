#include "ops/cuda/runtime.h"

#include <array>
#include <memory>
#include <mutex>

#include "ops/cuda/graph.h"
#include "tensor/allocator.h"

namespace mini::cuda {
namespace {

constexpr int most_devices = 64;
// NVIDIA's recommendation for Hopper. With our own workspace cuBLAS allocates none, which a capture
// would not allow, and it gives the same bits in every run.
constexpr std::int64_t cublas_workspace_bytes = 32 << 20;

class CudaAllocator final : public Allocator {
 public:
  explicit CudaAllocator(int index) : index_(index) {}

  void* system_allocate(std::size_t bytes) override {
    use({DeviceType::cuda, index_});
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // clear the error, or the next call would report it
      return nullptr;
    }
    check_status(status, "cudaMalloc");
    return data;
  }
  std::size_t available() const override {
    use({DeviceType::cuda, index_});
    std::size_t free = 0, total = 0;
    check_status(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return free;
  }
  // cudaFree waits for the device, so no queued kernel still uses the block.
  void system_free(void* data, std::size_t) noexcept override { cudaFree(data); }

 private:
  int index_;
};

struct DeviceState {
  cudaDeviceProp properties{};
  cudaStream_t stream = nullptr;
  // Created when first used.
  std::mutex mutex;
  cublasHandle_t cublas = nullptr;
  Tensor cublas_workspace;
  cudnnHandle_t cudnn = nullptr;
};

// "9.0" for sm_90.
std::string capability(int major, int minor) { return concat_text(major, '.', minor); }

int count_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int runtime = 0;
    cudaRuntimeGetVersion(&runtime);
    fail("cuda: no NVIDIA driver, or one older than CUDA ", runtime / 1000, '.',
         runtime % 1000 / 10, " needs; install or update it, or use --device cpu");
  }
  check(status != cudaErrorNoDevice && (status != cudaSuccess || count > 0),
        "cuda: the driver finds no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use "
        "--device cpu");
  check_status(status, "cudaGetDeviceCount");
  return count;
}

cudaDeviceProp usable_properties(int index) {
  const int count = count_devices();
  check(index < count, "cuda:", index, ": there ", count == 1 ? "is 1 GPU" : "are ",
        count == 1 ? "" : concat_text(count, " GPUs"), " here, cuda:0",
        count == 1 ? "" : concat_text(" to cuda:", count - 1));
  cudaDeviceProp properties{};
  check_status(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  check(10 * properties.major + properties.minor >= MINI_CUDA_ARCHITECTURE, "cuda:", index, ": ",
        properties.name, " has compute capability ", capability(properties.major, properties.minor),
        ", this build needs ", capability(MINI_CUDA_ARCHITECTURE / 10, MINI_CUDA_ARCHITECTURE % 10),
        " or above; build for it (-DCMAKE_CUDA_ARCHITECTURES=", properties.major, properties.minor,
        ") or use --device cpu");
  return properties;
}

DeviceState& state_of(int index) {
  // Never destroyed, like the allocators below: at exit, the driver may be unloaded before our
  // statics.
  static std::mutex mutex;
  static auto& states = *new std::array<std::unique_ptr<DeviceState>, most_devices>;
  check(index >= 0 && index < most_devices, "cuda:", index, ": there is no such device");
  const std::scoped_lock lock(mutex);
  std::unique_ptr<DeviceState>& state = states[static_cast<std::size_t>(index)];
  if (state == nullptr) {
    auto made = std::make_unique<DeviceState>();
    made->properties = usable_properties(index);
    check_status(cudaSetDevice(index), "cudaSetDevice");
    check_status(cudaStreamCreateWithFlags(&made->stream, cudaStreamNonBlocking),
                 "cudaStreamCreate");
    state = std::move(made);
  }
  return *state;
}

// Creating a handle may wait for the device, which would end a capture.
void check_not_capturing() {
  check(!is_capturing(), "graph: run the step once before it is captured");
}

// The device that this thread uses.
thread_local int current_index = -1;
thread_local DeviceState* current_state = nullptr;

DeviceState& current() {
  if (current_state == nullptr) use({DeviceType::cuda, 0});
  return *current_state;
}

}  // namespace

void check_status(cudaError_t status, const char* call) {
  if (status == cudaSuccess) [[likely]]
    return;
  throw Failure(concat_text(call, " failed: ", cudaGetErrorString(status), " (",
                            cudaGetErrorName(status), ')'));
}

void check_status(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  throw Failure(concat_text(call, " failed: ", cublasGetStatusString(status)));
}

void check_status(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  char reason[256]{};
  cudnnGetLastErrorString(reason, sizeof reason);
  throw Failure(concat_text(call, " failed: ", cudnnGetErrorString(status), " (", reason, ')'));
}

void use(Device device) {
  if (device.index == current_index) [[likely]]
    return;
  DeviceState& state = state_of(device.index);
  check_status(cudaSetDevice(device.index), "cudaSetDevice");
  current_index = device.index;
  current_state = &state;
}

cudaStream_t stream() { return current().stream; }
cublasHandle_t cublas() {
  DeviceState& state = current();
  const std::scoped_lock lock(state.mutex);
  if (state.cublas == nullptr) {
    check_not_capturing();
    const Tensor workspace =
        Tensor::empty({cublas_workspace_bytes}, DType::uint8, {DeviceType::cuda, current_index});
    cublasHandle_t handle = nullptr;
    check_status(cublasCreate(&handle), "cublasCreate");
    check_status(cublasSetStream(handle, state.stream), "cublasSetStream");
    // Sums of 16-bit products are kept in float32.
    const int math = CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    check_status(cublasSetMathMode(handle, static_cast<cublasMath_t>(math)), "cublasSetMathMode");
    check_status(cublasSetWorkspace(handle, workspace.raw_data(),
                                    static_cast<std::size_t>(cublas_workspace_bytes)),
                 "cublasSetWorkspace");
    state.cublas_workspace = workspace;
    state.cublas = handle;
  }
  return state.cublas;
}

cudnnHandle_t cudnn() {
  DeviceState& state = current();
  const std::scoped_lock lock(state.mutex);
  if (state.cudnn == nullptr) {
    check_not_capturing();
    cudnnHandle_t handle = nullptr;
    check_status(cudnnCreate(&handle), "cudnnCreate");
    check_status(cudnnSetStream(handle, state.stream), "cudnnSetStream");
    state.cudnn = handle;
  }
  return state.cudnn;
}

const cudaDeviceProp& properties() { return current().properties; }

Allocator& allocator(int index) {
  // Never destroyed: tensors in static storage may be destroyed after any other static.
  static std::mutex mutex;
  static std::array<CudaAllocator*, most_devices> allocators{};
  use({DeviceType::cuda, index});
  const std::scoped_lock lock(mutex);
  CudaAllocator*& made = allocators[static_cast<std::size_t>(index)];
  if (made == nullptr) {
    made = new CudaAllocator(index);
    // cudaMalloc and cudaFree wait for the device, so all blocks are cached; if memory runs out,
    // the allocator empties its cache.
    made->set_cache_limit(SIZE_MAX);
  }
  return *made;
}

void wait_for(Device device) {
  use(device);
  check_status(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
}

}  // namespace mini::cuda
