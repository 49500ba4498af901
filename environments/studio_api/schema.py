"""The operations that the command has in it, by exactly these names."""

from graphql import GraphQLSchema, build_schema

SDL = """
scalar JSON

type Query {
  licenseDetails: LicenseDetails!
  assistantByName(input: AssistantByNameInput!): AssistantByName!
  exportAsEncodedYaml(input: ExportAsEncodedYamlInput!): ExportAsEncodedYaml!
}

type Mutation {
  uploadModernAssistant(input: UploadModernAssistantInput!): String!
  importFromEncodedYaml(input: ImportFromEncodedYamlInput!): String!
  deleteAssistant(input: DeleteAssistantInput!): DeleteAssistant!
}

type LicenseDetails { valid: Boolean! scopes: [String!]! }

type Assistant { id: ID! name: String! mode: String! }

input AssistantByNameInput { assistantName: String! }
union AssistantByName = Assistant | AssistantByName_AssistantNotFound
type AssistantByName_AssistantNotFound { _: Boolean }

input UploadModernAssistantInput {
  assistantName: String!
  domain: String
  flows: String
  config: String
  endpoints: String
  nlu: String
  prompts: JSON
}
input ImportFromEncodedYamlInput { assistantName: String! domain: String! nlu: String! }

input ExportAsEncodedYamlInput { assistantName: String! objects: [ExportObject!] }
input ExportObject { name: [String!]! type: ExportObjectType! }
enum ExportObjectType { Intent Entity }
union ExportAsEncodedYaml = ExportModernAsEncodedYamlOutput | ExportClassicAsEncodedYamlOutput
type ExportModernAsEncodedYamlOutput {
  nlu: String!
  flows: String!
  domain: String!
  endpoints: String!
  config: String!
  prompts: JSON!
}
type ExportClassicAsEncodedYamlOutput { nlu: String! domain: String! }

input DeleteAssistantInput { assistantId: ID! }
union DeleteAssistant = Assistant | DeleteAssistant_AssistantNotFound
type DeleteAssistant_AssistantNotFound { _: Boolean }
"""


def make_schema() -> GraphQLSchema:
    return build_schema(SDL)
