// If --device cuda is not available, a program names the remedy, returns 1 and writes no file.
#include <cstdlib>

#include "tests/tools/train_tool.h"

namespace mini {
namespace {

class DeviceTool : public TrainTool {
 protected:
  // Runs mini_train on a device and returns its error; `settings` are for the emulated device.
  std::string refusal(const std::string& device,
                      const std::vector<std::pair<const char*, const char*>>& settings = {}) const {
    for (const auto& [name, value] : settings) setenv(name, value, 1);
    EXPECT_EQ(run_tiny({"--device", device, "--set", "validation.folders=[]"}), 1);
    for (const auto& [name, value] : settings) unsetenv(name);
    EXPECT_FALSE(fs::exists(out())) << "files were written";
    return errors();
  }
};

TEST_F(DeviceTool, ADeviceOfNoKindIsRefused) {
  EXPECT_EQ(refusal("gpu"),
            "mini_train: device: 'gpu' is none of cpu, cuda, cuda:0, cuda:1, ...\n");
}

#if defined(MINI_CUDA_EMULATED)
TEST_F(DeviceTool, SaysWhatIsMissing) {
  EXPECT_EQ(refusal("cuda", {{"MINI_EMULATED_DRIVER", "0"}}),
            "mini_train: cuda: no NVIDIA driver, or one older than CUDA 13.0 needs; install or "
            "update it, or use --device cpu\n");
  EXPECT_EQ(refusal("cuda", {{"MINI_EMULATED_DEVICES", "0"}}),
            "mini_train: cuda: the driver finds no GPU; look at nvidia-smi and "
            "CUDA_VISIBLE_DEVICES, or use --device cpu\n");
  EXPECT_EQ(refusal("cuda:7"), "mini_train: cuda:7: there is 1 GPU here, cuda:0\n");
  EXPECT_EQ(refusal("cuda:7", {{"MINI_EMULATED_DEVICES", "4"}}),
            "mini_train: cuda:7: there are 4 GPUs here, cuda:0 to cuda:3\n");
  EXPECT_EQ(refusal("cuda", {{"MINI_EMULATED_CAPABILITY", "7"}}),
            "mini_train: cuda:0: emulated device 0 has compute capability 7.0, this build needs "
            "9.0 or above; build for it (-DCMAKE_CUDA_ARCHITECTURES=70) or use --device cpu\n");
}

TEST_F(DeviceTool, OutOfMemorySaysHowMuchThereWas) {
  setenv("MINI_EMULATED_MEGABYTES", "1", 1);
  EXPECT_EQ(run_tiny({"--device", "cuda", "--set", "data.batch=16"}), 1);
  unsetenv("MINI_EMULATED_MEGABYTES");
  EXPECT_NE(errors().find("allocator: out of memory asking for "), std::string::npos) << errors();
  EXPECT_NE(errors().find("use a smaller batch, patch or image"), std::string::npos) << errors();
}
#elif defined(MINI_CUDA)
TEST_F(DeviceTool, AGpuThatIsNotThereIsRefused) {
  const std::string error = refusal("cuda:63");
  EXPECT_TRUE(error.starts_with("mini_train: cuda")) << error;
}
#else
TEST_F(DeviceTool, ABuildWithoutCudaSaysSo) {
  EXPECT_EQ(refusal("cuda"),
            "mini_train: device: this build of mini has no CUDA backend; use --device cpu, or "
            "build where nvcc, cuBLAS and cuDNN are found (-DMINI_CUDA=ON)\n");
}
#endif

}  // namespace
}  // namespace mini
