// The emulated device (tests/cuda_emulator/) must show the errors that a GPU would show.
#ifdef MINI_CUDA_EMULATED
#include <cstring>

#include "tensor/backend.h"
#include "tensor/queue.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/cuda_emulator/cuda_runtime.h"
#include "tests/support/support.h"

namespace mini {
namespace {

constexpr unsigned threads = 64;

class Emulator : public test::CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
  }
  void TearDown() override {
    emulator::set_order(emulator::Order::rising);
    cudaStreamDestroy(stream_);
  }

  template <class... Parameters, class... Arguments>
  cudaError_t start(void (*kernel)(Parameters...), const Arguments&... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(1);
    config.blockDim = dim3(threads);
    config.stream = stream_;
    return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
  }

  // Runs the kernel on 0, 1, 2, ... and returns its results.
  std::vector<double> run(void (*kernel)(float*), emulator::Order order) {
    emulator::set_order(order);
    const Tensor x = ops::to_device(
        ops::cast(Tensor::arange(static_cast<std::int64_t>(threads)), DType::float32), device);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(start(kernel, x.data<float>()), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return x.to_vector();
  }

  cudaStream_t stream_ = nullptr;
};

// Each thread takes the value of its neighbour.
__global__ void racy_kernel(float* x) { x[threadIdx.x] = x[(threadIdx.x + 1) % threads]; }

__global__ void careful_kernel(float* x) {
  const float neighbour = x[(threadIdx.x + 1) % threads];
  __syncthreads();
  x[threadIdx.x] = neighbour;
}

__global__ void half_a_barrier_kernel(float*) {
  if (threadIdx.x < threads / 2) __syncthreads();
}

__global__ void double_kernel(float* x) { x[threadIdx.x] *= 2; }

TEST_F(Emulator, ARaceGivesOtherResultsInTheOtherOrder) {
  EXPECT_NE(run(racy_kernel, emulator::Order::rising), run(racy_kernel, emulator::Order::falling));
  const auto rising = run(careful_kernel, emulator::Order::rising);
  EXPECT_EQ(rising, run(careful_kernel, emulator::Order::falling));
  EXPECT_EQ(rising[0], 1);
  EXPECT_EQ(rising[threads - 1], 0);
}

TEST_F(Emulator, AForgottenSynchronisationReadsWhatIsNotThereYet) {
  const Tensor x = ops::to_device(Tensor::ones({threads}), device);
  synchronize(device);
  float* pinned = nullptr;
  ASSERT_EQ(cudaHostAlloc(reinterpret_cast<void**>(&pinned), sizeof(float), 0), cudaSuccess);
  *pinned = -1;
  start(double_kernel, x.data<float>());
  cudaMemcpyAsync(pinned, x.raw_data(), sizeof(float), cudaMemcpyDeviceToHost, stream_);
  EXPECT_EQ(*pinned, -1);
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(*pinned, 2);
  cudaFreeHost(pinned);
}

TEST_F(Emulator, HostCodeThatFollowsADevicePointerDies) {
  const Tensor x = ops::to_device(Tensor::ones({threads}), device);
  synchronize(device);
  const volatile float* const values = x.data<float>();
  EXPECT_DEATH(std::printf("%f", static_cast<double>(values[0])), "");
}

TEST_F(Emulator, ABarrierThatNotEveryThreadReachesDies) {
  EXPECT_DEATH(run(half_a_barrier_kernel, emulator::Order::rising),
               "a block barrier that not every thread reaches");
}

TEST_F(Emulator, ReportsThatMemoryIsShort) {
  emulator::set_memory(std::size_t{1} << 30);
  const std::string text = test::error_of([&] {
    Tensor::empty({std::int64_t{1} << 29}, DType::float32, device);  // 2 GiB
  });
  emulator::set_memory(std::size_t{16} << 30);
  EXPECT_NE(text.find("out of memory"), std::string::npos) << text;
  EXPECT_EQ(Tensor::full({3}, 2, DType::float32, device).to_vector(), std::vector<double>(3, 2));
}

TEST_F(Emulator, ReplaysACapturedGraph) {
  const Tensor x = ops::to_device(Tensor::ones({threads}), device);
  synchronize(device);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  start(double_kernel, x.data<float>());
  start(careful_kernel, x.data<float>());
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  EXPECT_EQ(x.to_vector()[0], 1) << "captured work ran at once";
  for (int k = 0; k < 2; ++k) ASSERT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(x.to_vector(), std::vector<double>(threads, 4));
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

TEST_F(Emulator, WaitingMakesACaptureVoid) {
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_NE(cudaStreamSynchronize(stream_), cudaSuccess);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
}

}  // namespace
}  // namespace mini
#endif
