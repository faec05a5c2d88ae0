#include "infer/evaluate.h"

#include <fmt/core.h>
#include <unistd.h>

#include "infer/rates.h"
#include "io/file.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {

int evaluate_model(const ModelOptions& model_options, const EvaluateOptions& options,
                   const EvaluateFiles& files) {
  for (const auto& file : {files.json, files.markdown})  // told now, not after an hour's work
    check(!file.has_parent_path() || std::filesystem::is_directory(file.parent_path()),
          file.string(), ": its folder does not exist");
  const Model model = load_model(model_options);
  const auto bicubic = bicubic_scaler(model.scaler->scale());
  std::vector<const Scaler*> methods = {bicubic.get()};
  if (model.network != nullptr) methods.push_back(model.scaler.get());

  const bool watched = isatty(STDERR_FILENO) != 0;
  auto evaluation =
      evaluate(methods, files.places, options, [&](std::size_t done, std::size_t total) {
        if (watched) fmt::print(stderr, "\r{}/{} images{}", done, total, done == total ? "\n" : "");
      });
  evaluation.rates = compare_rates(evaluation, files.places, options);
  const std::string table = to_markdown(evaluation);
  fmt::print("{}", table);
  if (!files.json.empty()) io::write_file_atomically(files.json, to_json(evaluation));
  if (!files.markdown.empty()) io::write_file_atomically(files.markdown, table);
  return 0;
}

}  // namespace mini::infer
