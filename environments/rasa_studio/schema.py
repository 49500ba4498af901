"""The operations that the command has in it, by exactly these names."""

from typing import Any

from graphql import DocumentNode, FieldNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, build_schema
from graphql.validation import ASTValidationRule

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


ONE_THING = "A request asks for one thing: one operation with one field, and no field under another name."


class OneThing(ASTValidationRule):
    """As the command does. Each field may be all of an assistant's data, and under other names it could be asked for a
    hundred times at once."""

    def enter_document(self, node: DocumentNode, *_: Any) -> None:
        operations = [one for one in node.definitions if isinstance(one, OperationDefinitionNode)]
        fields = [field for operation in operations for field in operation.selection_set.selections]
        if len(fields) != 1 or not isinstance(fields[0], FieldNode):
            self.report_error(GraphQLError(ONE_THING))

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        if node.alias is not None:
            self.report_error(GraphQLError(ONE_THING, node))


def make_schema() -> GraphQLSchema:
    return build_schema(SDL)
