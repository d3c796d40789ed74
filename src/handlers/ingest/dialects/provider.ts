/** Names of one provider over the generations of the conventions and their producers. */
const aliases: Readonly<Record<string, string>> = {
  "az.ai.openai": "azure.ai.openai",
  azure: "azure.ai.openai",
  "az.ai.inference": "azure.ai.inference",
  gemini: "gcp.gemini",
  google: "gcp.gemini",
  vertex_ai: "gcp.vertex_ai",
  vertexai: "gcp.vertex_ai",
  "gcp.vertex.agent": "gcp.vertex_ai",
  xai: "x_ai",
  bedrock: "aws.bedrock",
  mistralai: "mistral_ai",
};

/** One name for one provider: `openai.responses` and `OpenAI` are `openai`. */
export function providerOf(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const lower = name.toLowerCase();
  // The AI SDK names the kind of its interface behind the provider.
  const bare = lower.replace(
    /\.(?:responses|chat|completion|messages|embedding|generative-ai|image)$/,
    "",
  );
  return aliases[bare] ?? bare;
}
