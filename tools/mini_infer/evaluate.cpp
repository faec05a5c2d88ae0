#include "infer/evaluate.h"

#include <fmt/core.h>
#include <unistd.h>

#include "io/file.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {

int evaluate_model(const ModelOptions& model_options, const EvaluateOptions& options,
                   const EvaluateFiles& files) {
  for (const auto& file : {files.json, files.markdown, files.report.page, files.report.plot})
    check_writable(file);
  const Model model = load_model(model_options);
  const auto bicubic = bicubic_scaler(model.scaler->scale());
  std::vector<const Scaler*> methods = {bicubic.get()};
  if (model.network != nullptr) methods.push_back(model.scaler.get());

  EvaluateOptions limited = options;
  limited.limits = read_options(model_options);
  const bool watched = isatty(STDERR_FILENO) != 0;
  const auto evaluation =
      evaluate(methods, files.places, limited, [&](std::size_t done, std::size_t total) {
        if (watched) fmt::print(stderr, "\r{}/{} images{}", done, total, done == total ? "\n" : "");
      });
  for (const std::string& notice : evaluation.notices)
    fmt::print(stderr, "mini_infer: {}\n", printable(notice));
  const std::string table = to_markdown(evaluation);
  fmt::print("{}", table);
  if (!files.json.empty()) io::write_file_atomically(files.json, to_json(evaluation));
  if (!files.markdown.empty()) io::write_file_atomically(files.markdown, table);
  write_report(model, model_options, files.places, options.formats, options.qualities,
               files.report);
  return 0;
}

}  // namespace mini::infer
