/**
 * Checks of the MCP conformance suite that our server fails, `scenario: check`, each with its reason.
 *
 * The list may only shrink: the test fails when one of them passes, too.
 */

const NO_PROMPTS = "The server offers tools and nothing else: LangChain tools know no prompts.";
const NO_RESOURCES = "The server offers tools and nothing else: LangChain tools know no resources.";
const NO_ASKING =
  "A LangChain tool has no way to ask its caller back; interrupt() is reported as an error with a hint.";
const NO_LOGGING =
  "A LangChain tool logs to stderr or to tracing; MCP's own logging is deprecated since 2026-07-28.";
const NO_COMPLETION = "A LangChain tool offers no completion of its arguments.";

const EVERY_REVISION: Readonly<Record<string, string>> = {
  "completion-complete: completion-complete": NO_COMPLETION,
  "prompts-get-embedded-resource: prompts-get-embedded-resource": NO_PROMPTS,
  "prompts-get-simple: prompts-get-simple": NO_PROMPTS,
  "prompts-get-with-args: prompts-get-with-args": NO_PROMPTS,
  "prompts-get-with-image: prompts-get-with-image": NO_PROMPTS,
  "prompts-list: prompts-list": NO_PROMPTS,
  "resources-list: resources-list": NO_RESOURCES,
  "resources-read-binary: resources-read-binary": NO_RESOURCES,
  "resources-read-text: resources-read-text": NO_RESOURCES,
  "resources-templates-read: resources-templates-read": NO_RESOURCES,
};

export const EXPECTED_FAILURES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "2025-11-25": {
    ...EVERY_REVISION,
    "elicitation-sep1034-defaults: elicitation-sep1034-general": NO_ASKING,
    "elicitation-sep1330-enums: elicitation-sep1330-general": NO_ASKING,
    "logging-set-level: logging-set-level": NO_LOGGING,
    "resources-subscribe: resources-subscribe": NO_RESOURCES,
    "resources-unsubscribe: resources-unsubscribe": NO_RESOURCES,
    "tools-call-elicitation: tools-call-elicitation": NO_ASKING,
    "tools-call-sampling: tools-call-sampling": NO_ASKING,
    "tools-call-with-logging: tools-call-with-logging": NO_LOGGING,
  },
  "2026-07-28": {
    ...EVERY_REVISION,
    "caching: sep-2549-prompts-list-caching-hints": NO_PROMPTS,
    "caching: sep-2549-resources-list-caching-hints": NO_RESOURCES,
    "caching: sep-2549-resources-templates-list-caching-hints": NO_RESOURCES,
    "input-required-result-basic-elicitation: sep-2322-elicitation-incomplete": NO_ASKING,
    "input-required-result-basic-list-roots: sep-2322-list-roots-incomplete": NO_ASKING,
    "input-required-result-basic-sampling: sep-2322-sampling-incomplete": NO_ASKING,
    "input-required-result-capability-check: sep-2322-respect-client-capabilities": NO_ASKING,
    "input-required-result-multi-round: sep-2322-multi-round-r1": NO_ASKING,
    "input-required-result-multiple-input-requests: sep-2322-multiple-inputs-incomplete": NO_ASKING,
    "input-required-result-non-tool-request: sep-2322-non-tool-incomplete": NO_ASKING,
    "input-required-result-request-state: sep-2322-request-state-incomplete": NO_ASKING,
    "input-required-result-result-type: sep-2322-result-type-included": NO_ASKING,
    "input-required-result-tampered-state: sep-2322-reject-tampered-state": NO_ASKING,
    "server-stateless: sep-2575-http-server-no-independent-requests-on-stream": NO_ASKING,
    "server-stateless: sep-2575-missing-capability-http-400": NO_ASKING,
    "server-stateless: sep-2575-server-no-log-without-loglevel": NO_LOGGING,
    "server-stateless: sep-2575-server-rejects-undeclared-capability": NO_ASKING,
  },
};
