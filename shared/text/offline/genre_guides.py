"""What readers expect in documents that help them use something.

Sections follow the Good Docs Project's README, reference and how-to templates.
"""

from __future__ import annotations

from shared.text.offline.genre import Genre, Section

API_REFERENCE = Genre(
    "API reference",
    "api reference, api documentation, api docs, rest api, http api, sdk reference, ^api, api$",
    "endpoint, endpoints, authentication, authorization, error codes, errors, status codes, rate limit, "
    "rate limits, pagination, base url, versioning, get path, post path, put path, patch path, delete path",
    (
        Section(
            "Overview",
            "overview, introduction, about, summary, description, getting started, quickstart, quick start",
            "The reader must know what the API is for and where it is reached.",
            (
                "What it is for",
                "Base address and version",
            ),
            evidence="opening",
        ),
        Section(
            "Authentication",
            "auth, authentication, authorization, credentials, api key, api keys, security, token, tokens, "
            "signin, sign in",
            "No call works without it, so every reader looks for it first.",
            (
                "How to get a key or a token",
                "Where it stands in a request, with an example",
            ),
        ),
        Section(
            "Endpoints",
            "endpoint, endpoints, operation, operations, method, methods, resource, resources, function, "
            "functions, route, routes, get path, post path, put path, patch path, delete path, classes",
            "Each operation with what it takes and what it gives.",
            (
                "Method and path",
                "Parameters: name, type, whether required, default",
                "The answer, with an example",
            ),
        ),
        Section(
            "Errors",
            "error, errors, error codes, error handling, status codes, exception, exceptions, failure, "
            "failures, troubleshooting",
            "A program that calls the API must tell the failures apart.",
            (
                "Status and code, when it comes, and what the caller should do",
                "Which errors are worth a retry",
            ),
        ),
        Section(
            "Rate limits",
            "rate limit, rate limits, limit, limits, quota, quotas, throttling, pagination, usage limits",
            "Callers plan their load by them.",
            (
                "Requests per minute, and what happens above",
                "Sizes: largest body, largest page",
            ),
        ),
        Section(
            "Examples",
            "example, examples, sample, samples, usage, code samples, recipes, quickstart, quick start, "
            "tutorial",
            "A request that works as printed saves the first hour.",
            ("The shortest useful call, with its answer",),
            evidence="code",
        ),
    ),
)


README = Genre(
    "README",
    "readme, read me",
    "installation, install, installing, usage, quickstart, quick start, getting started, features, licence, "
    "license, contributing, configuration, requirements, development, running tests, running the tests, "
    "screenshots, credits, acknowledgments, acknowledgements",
    (
        Section(
            "Description",
            "description, about, overview, introduction, what is, features, why, summary",
            "The first lines must say what it is and whom it helps.",
            (
                "What it does, in one sentence",
                "Whom it is for",
            ),
            evidence="opening",
        ),
        Section(
            "Installation",
            "install, installation, installing, setup, set up, getting started, quickstart, quick start, "
            "requirements, download, build, building",
            "Whoever likes it wants to run it next.",
            (
                "What must be there before",
                "The command that installs it",
            ),
        ),
        Section(
            "Usage",
            "usage, using, how to use, example, examples, quickstart, quick start, getting started, "
            "tutorial, demo, command, commands, running, run",
            "One example that works explains more than a list of features.",
            (
                "The shortest useful example, with its output",
                "Where the full documentation is",
            ),
        ),
        Section(
            "Configuration",
            "config, configuration, configuring, configure, settings, options, environment, environment "
            "variables, parameters, customisation, customization",
            "What can be changed, with its defaults.",
            ("Name, default, meaning",),
        ),
        Section(
            "Contributing",
            "contributing, contribute, contribution, contributions, contributors, development, developing, "
            "hacking, support, community, test, tests, testing",
            "Says how to report a fault and how to send a change.",
            (
                "How to run the tests",
                "How to send a change",
            ),
        ),
        Section(
            "License",
            "licence, license, licensing, copyright, legal",
            "Without a licence nobody may use it.",
            ("The licence's name and the file that holds it",),
        ),
    ),
)


HOW_TO = Genre(
    "how-to guide",
    "how to, how do i, tutorial, getting started, quickstart, quick start, step by step, walkthrough, walk "
    "through, your first *, set up, setting up, installing, installation, hands on, cookbook, recipe",
    "prerequisite, prerequisites, before you begin, before you start, step #, steps, next steps, "
    "troubleshooting, what youll *, what you will *, clean up, cleaning up, verify, procedure, to * a *, to "
    "* an *",
    (
        Section(
            "What you will do",
            "what youll, what you will, overview, introduction, goal, about, summary, purpose, objective, "
            "objectives",
            "The reader must see at once whether this guide is the right one.",
            (
                "The result, in one sentence",
                "How long it takes",
            ),
            evidence="opening",
        ),
        Section(
            "Prerequisites",
            "prerequisite, prerequisites, requirement, requirements, before you begin, before you start, "
            "what you need, preparation, you will need",
            "A step that fails for want of a tool or a right loses the reader.",
            (
                "Tools, with their versions",
                "Rights and accounts",
                "What the reader should know already",
            ),
        ),
        Section(
            "Steps",
            "step, steps, procedure, instructions, guide, setup, set up, install, installation, installing, "
            "walkthrough, walk through, how to, step #, to * a *, to * an *, create, creating, configure, "
            "configuring, usage",
            "The steps in their order, each with one action.",
            (
                "Action, with the command",
                "What the reader should see then",
            ),
            evidence="steps",
        ),
        Section(
            "Check the result",
            "verify, verification, verifying, check, checking, test, testing, result, results, confirm, "
            "validate, validation, try it, run, running, recap, expected output, expected result",
            "The reader wants to know that it worked.",
            ("The command to run, and what it prints",),
        ),
        Section(
            "Troubleshooting",
            "troubleshoot, troubleshooting, common problems, common errors, common issues, common mistakes, "
            "faq, problems, error, errors, known issues, if it fails, help",
            "Most readers who come back come with an error message.",
            ("Error message, its cause, and the cure",),
        ),
        Section(
            "Next steps",
            "next, next step, next steps, see also, further reading, where to go, learn more, related, "
            "clean up, cleaning up, summary, conclusion, recap",
            "Says where to go from here, and how to remove what was made.",
            (
                "What to do with the result",
                "Where to read more",
            ),
        ),
    ),
)

API_OPERATION = Genre(
    "description of an API operation",
    "",
    "request syntax, request parameters, request body, response syntax, response elements, request, "
    "response, returns, throws",
    (
        Section(
            "Request",
            "request, request syntax, request parameters, request body, parameters, arguments, input, syntax",
            "Whoever calls it must know what to send.",
            ("Method and path, or the call", "Parameters: name, type, whether required, default"),
        ),
        Section(
            "Response",
            "response, response syntax, response elements, returns, return value, output, result",
            "Whoever calls it must know what comes back.",
            ("Status and fields of the answer, with types", "An example"),
        ),
        Section(
            "Errors",
            "error, errors, error codes, exceptions, throws, raises, status codes",
            "A program that calls it must tell the failures apart.",
            ("Status and code, when it comes, and what the caller should do",),
        ),
        Section(
            "Examples",
            "example, examples, sample, samples, sample request, usage",
            "A call that works as printed saves the first hour.",
            ("The shortest useful call, with its answer",),
            evidence="code",
        ),
    ),
)
